"""Runs in object stores: `s3://bucket/folder` wherever a run folder is named.

A run is worked on in a local copy, and a thread puts what changes into the store. The other way,
every reader and writer through a file system of objects, was weighed and left: DuckDB reads stores
only with an extension that it downloads, journals grow by a line a reply and objects cannot grow,
the sandbox and vLLM read images by path, and every table would wait for the network. A copy
leaves all of that as it is, and since all files of a run are either written once or small, what is
put is what changed.

What is put where, and why nothing can come apart:

- Images lie under the hash of their content and are put first.
- Tables, journals, recipe and manifest are put under names that were never used before, and count
  once the session's index names them (`sessions`). The index is one object, put whole, of a
  moment at which nothing was being replaced (`copy.captured`). So whoever opens the run finds it
  as it was on the disk at some moment, and a kill at any moment is what a run can go on from.
- Exports and `report.html` are made of the rest and lie under their own names, so that trainers
  find them. `export.json` is taken away first and put last: an export that has it is complete.

`bucket` is the store in words of objects, `sessions` who may write and what counts, `copy` the
local side, `pictures` the images, `session` the thread, `store` what the rest of the package uses.
"""

from curation.stores.bucket import is_url
from curation.stores.session import Pace
from curation.stores.store import Store, fetch_export

__all__ = ["Pace", "Store", "fetch_export", "is_url"]
