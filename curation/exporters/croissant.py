"""Croissant metadata of an export (JSON-LD, MLCommons Croissant 1.0): `croissant.json`."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from curation.exporters.card import Tally
from curation.exporters.manifest import Manifest

CROISSANT = "croissant.json"

# The context that the specification asks for, word for word in what is used here.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(manifest: Manifest, schema: pa.Schema, tally: Tally) -> str:
    """The metadata as JSON text: one file set a split, and the columns as one record set each."""
    splits = list(dict.fromkeys(shard.split for shard in manifest.shards))
    page = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"toolsight-{manifest.target}",
        "description": (
            f"{manifest.rows} rows for {manifest.target}, made by Toolsight"
            f" {manifest.toolsight} from: {', '.join(tally.sources)}."
        ),
        "license": list(tally.licenses),
        "version": manifest.toolsight,
        "distribution": [_file_set(split) for split in splits],
        "recordSet": [_record_set(split, schema) for split in splits],
        "rai:dataCollection": (
            "Samples measured by attempts of a base model without and with tools; trajectories"
            " written by a teacher model and verified by running them. records/provenance.parquet"
            " names source, license and models of every row."
        ),
        "rai:dataLimitation": "See Known limits in README.md.",
    }
    return json.dumps(page, indent=2, ensure_ascii=False) + "\n"


def _file_set(split: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{split}-shards",
        "encodingFormat": "application/x-parquet",
        "includes": f"{split}-*.parquet",
    }


def _record_set(split: str, schema: pa.Schema) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "field": [_field(split, column) for column in schema],
    }


def _field(split: str, column: pa.Field) -> dict[str, Any]:
    """One column; lists and structures are told by what they hold."""
    kind, repeated = column.type, pa.types.is_list(column.type)
    kind = kind.value_type if repeated else kind
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{split}/{column.name}",
        "dataType": _data_type(column.name, kind),
        "source": {
            "fileSet": {"@id": f"{split}-shards"},
            "extract": {"column": column.name},
        },
    }
    return field | ({"repeated": True} if repeated else {})


def _data_type(name: str, kind: pa.DataType) -> str:
    if name.endswith("images"):
        return "sc:ImageObject"
    return {pa.int64(): "sc:Integer", pa.bool_(): "sc:Boolean"}.get(kind, "sc:Text")
