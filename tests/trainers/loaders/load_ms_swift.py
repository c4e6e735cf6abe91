"""Every row through ms-swift's row preprocessing and template, and a forward pass.

Its loader needs a later `datasets` than LLaMA-Factory allows and an earlier one than verl; what it
does to each row does not, so rows are read with pyarrow here.
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
    processor, template_type="qwen2_5_vl", max_length=20480, truncation_strategy="raise"
)
template.set_mode("train")
# Its templates know the ids of the released tokenizer; the embedded one has others.
template.image_token_id = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
prepare = MessagesPreprocessor()
raw = [row for shard in shards for row in pq.read_table(shard).to_pylist()]
rows = []
for row in raw:
    prepared = prepare.preprocess(row)
    assert prepared is not None
    RowPreprocessor._check_messages(prepared)
    rows.append(template.encode(prepared))
assert all(any(label >= 0 for label in row["labels"]) for row in rows)
tell(len(rows), forward(checkpoint, dict(template.data_collator(rows[:1]))))
