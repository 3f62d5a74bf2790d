"""Which copy of the live model repository a setting asks for."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.promote.targets.s3_mirror import S3Mirror


def mirror_of(url: str, owner: str = "") -> "S3Mirror | None":
    """Return the mirror at `url`; None for an empty one: Triton reads the live folder itself.

    A folder needs no mirror, a Kubernetes volume (PVC) included: mount it and let `HILUM_HOME` lie on it.

    Args:
        url: `s3://bucket/prefix`, or `s3://http://host:9000/bucket/prefix` for a server of one's own:
            the form that `tritonserver --model-repository` takes too.
        owner: who has the right to write while it is held; empty for the live folder.

    Raises:
        UsageError: the address is no such form.
    """
    if not url:
        return None
    # boto3 takes a quarter of a second to import.
    from training.promote.targets.s3_address import S3Address
    from training.promote.targets.s3_bucket import Bucket
    from training.promote.targets.s3_mirror import S3Mirror

    return S3Mirror(Bucket(S3Address.parse(url)), owner)
