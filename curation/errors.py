"""The errors that Toolsight raises on purpose.

ToolsightError
  RecipeError         a wrong recipe, found before the first request
  SourceError         a source that cannot be opened at all (a bad row is quarantined instead)
  RunError            a run folder that cannot be used: locked, foreign, or not adding up
    StaleSettingsError  rows on disk were made by other settings
    StoreError          an object store that does not answer, or lets nobody in
  ServerError         a model server that does not start or stays unhealthy
  RequestError        one request that failed for good; quarantines its sample
    ContextError        a conversation that the model has no room for
  CapReached          nothing more may be asked: a budget is spent; no fault, the run ends well
  SandboxError        isolation is not to be had, or the sandbox cannot run
  ExportError         an export that a trainer would refuse
ToolError             raised by a tool and told to the model
"""


class ToolsightError(Exception):
    """Base of every error raised on purpose; its text says what, where and how to mend it."""


class RecipeError(ToolsightError):
    """A recipe that cannot be run as it stands."""


class SourceError(ToolsightError):
    """A source that cannot be opened."""


class RunError(ToolsightError):
    """A run folder that cannot be used."""


class StaleSettingsError(RunError):
    """Rows on disk were made by settings other than the recipe's."""


class StoreError(RunError):
    """An object store cannot be used."""


class ServerError(ToolsightError):
    """A model server that does not start or stays unhealthy."""


class RequestError(ToolsightError):
    """A model request that failed for good."""


class ContextError(RequestError):
    """A conversation that is longer than the model's context."""


class CapReached(ToolsightError):
    """A budget is spent: a clean stop, and what is done is kept."""


class SandboxError(ToolsightError):
    """A sandbox that cannot be isolated or cannot run."""


class ExportError(ToolsightError):
    """Rows that a trainer would refuse."""


class ToolError(Exception):
    """A tool's complaint, told to the model as its observation."""
