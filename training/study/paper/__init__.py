"""A paper's own tables, with the numbers it prints beside ours."""
