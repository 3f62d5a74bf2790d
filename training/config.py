"""The base of every section of a recipe."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen, validated group of settings; an unknown key is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")
