"""Every pair through ms-swift's row preprocessing and template, and a forward pass.

Rows are read with pyarrow, for the reason given in `load_ms_swift`.
"""

from __future__ import annotations

import pyarrow.parquet as pq
from model import arguments, forward, tell
from swift.dataset.preprocessor import MessagesPreprocessor, RowPreprocessor
from swift.model import get_model_processor
from swift.template import get_template

folder, checkpoint, shards = arguments()
_, processor = get_model_processor(checkpoint, load_model=False, model_type="qwen2_5_vl")
template = get_template(
    processor,
    template_type="qwen2_5_vl",
    max_length=20480,
    truncation_strategy="raise",
    loss_scale="default",
)
template.set_mode("rlhf")
# Its templates know the ids of the released tokenizer; the embedded one has others.
template.image_token_id = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
prepare = MessagesPreprocessor()
raw = [row for shard in shards for row in pq.read_table(shard).to_pylist()]
rows = []
for row in raw:
    prepared = prepare.preprocess(row)
    assert prepared is not None
    RowPreprocessor._check_rejected_response(prepared)
    RowPreprocessor._check_messages(prepared)
    rows.append(template.encode(prepared))
for side in ("chosen", "rejected"):
    assert all(any(label >= 0 for label in row[f"{side}_labels"]) for row in rows)
tell(len(rows), forward(checkpoint, dict(template.data_collator(rows[:1]))))
