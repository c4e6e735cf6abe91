"""Trajectories that others made, checked as our own are: what fails, and why."""

from curation.audit.conversations import Conversation, read_conversations
from curation.audit.report import Audit, audit, audit_dialect

__all__ = ["Audit", "Conversation", "audit", "audit_dialect", "read_conversations"]
