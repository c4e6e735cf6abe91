"""What a run asks of its models, stage by stage: counted as it happens, kept in the run folder, and
told in the manifest, in the progress and to Prometheus."""

from curation.telemetry.journal import FILE, read_traffic
from curation.telemetry.recorder import Recorder
from curation.telemetry.traffic import Traffic, total

__all__ = ["FILE", "Recorder", "Traffic", "read_traffic", "total"]
