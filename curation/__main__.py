"""`python -m curation` is the `toolsight` command."""

from curation.cli import app

if __name__ == "__main__":
    app(prog_name="toolsight")
