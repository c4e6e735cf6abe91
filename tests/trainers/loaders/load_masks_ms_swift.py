"""Which turns of the assistant ms-swift trains in every row, by its own preprocessing and template.

The last line of output has a list for every row: of each turn the share of its tokens that have
a label.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
from swift.dataset.preprocessor import MessagesPreprocessor, RowPreprocessor
from swift.model import get_model_processor
from swift.template import get_template
from turns import shares

folder, checkpoint = Path(sys.argv[1]), sys.argv[2]
_, processor = get_model_processor(checkpoint, load_model=False, model_type="qwen2_5_vl")
template = get_template(processor, template_type="qwen2_5_vl", max_length=20480)
template.set_mode("train")
# Its templates know the ids of the released tokenizer; the embedded one has others.
template.image_token_id = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
prepare, told = MessagesPreprocessor(), []
for shard in sorted(folder.glob("train-*.parquet")):
    for row in pq.read_table(shard).to_pylist():
        prepared = prepare.preprocess(row)
        assert prepared is not None
        RowPreprocessor._check_messages(prepared)
        encoded = template.encode(prepared)
        trained = [label >= 0 for label in encoded["labels"]]
        told.append(shares(processor.tokenizer, encoded["input_ids"], trained))
print(json.dumps({"turns": told}))
