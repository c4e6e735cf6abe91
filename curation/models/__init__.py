"""Models as URLs: the client, the server that Toolsight starts itself, and the embedded model."""

from curation.models.address import api_key_from
from curation.models.checkpoint import check_checkpoint, embedded_model
from curation.models.client import ModelClient
from curation.models.completion import Completion, Reply, Sampling
from curation.models.messages import ImagePart, chat_messages
from curation.models.server import ManagedServer
from curation.models.usage import Usage

__all__ = [
    "Completion",
    "ImagePart",
    "ManagedServer",
    "ModelClient",
    "Reply",
    "Sampling",
    "Usage",
    "api_key_from",
    "chat_messages",
    "check_checkpoint",
    "embedded_model",
]
