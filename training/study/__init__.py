"""Studies: a recipe trained as often as a protocol says, and a paper's own tables beside ours."""
