"""The page beside the pipeline: for a radiologist, the operator, and the person who must decide."""
