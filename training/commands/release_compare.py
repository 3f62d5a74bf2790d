"""`hilum release compare`: what live traffic says of a challenger."""

from pathlib import Path

import click

from training.commands.options import JSON


@click.command()
@click.argument(
    "files",
    metavar="PAIRS.jsonl...",
    nargs=-1,
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
)
@click.option(
    "--labels",
    "labels_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with the columns path and label of images whose truth is known by now.",
)
@click.option(
    "--bootstrap",
    default=1000,
    show_default=True,
    type=click.IntRange(min=100),
    help="Resamplings of patients, where there are labels.",
)
@JSON
def compare(
    files: tuple[Path, ...],
    labels_file: Path | None,
    bootstrap: int,
    as_json: bool,  # noqa: FBT001 - click passes flags by name
) -> None:
    """Compare challenger and champion by what both said to the same live images.

    Reads what clients recorded (`hilum predict --shadow`), counts each image once, and says how often the two
    agree and whether one reports a finding more often than the other. Look as often as you like: the test
    allows for it, on one growing stream of images. So always give all files of the same clients: a file left
    out once and added later is another test. With --labels, also who is right, by the statistics of
    `hilum compare`. There is one comparison, and with --json one object, for each champion and challenger in
    the files.

    \b
    Examples:
      hilum predict ward/ --shadow 0.1 --shadow-record pairs.jsonl
      hilum release compare pairs.jsonl
      hilum release compare ward-*/pairs.jsonl --labels read-since.csv --json
    """
    from hilum.console import emit_json, stderr, stdout
    from hilum.errors import HilumError, UsageError
    from hilum.paired_answers import read_pairs
    from hilum.settings import settings
    from training.evaluate.comparison_tables import comparison_table
    from training.promote.challenge import by_releases, judge_challenger
    from training.promote.challenge_tables import challenge_table, failures_sentence, labelled_sentences
    from training.promote.labelled_pairs import compare_with_labels, read_labels

    read = [read_pairs(path) for path in files]
    for path, (_, torn) in zip(files, read, strict=True):
        if torn:
            stderr.print(f"{path}: {torn} lines are torn or no records, and were left out.", markup=False)
    pairs = [pair for found, _ in read for pair in found]
    if not pairs:
        raise UsageError(
            f"No pair of answers is in {', '.join(map(str, files))}. Expected files that clients wrote, as "
            "in `hilum predict … --shadow 0.1 --shadow-record FILE`; a file stays empty while no challenger "
            "is loaded."
        )
    groups = by_releases(pairs)
    if not groups:
        raise HilumError(failures_sentence(pairs))
    labels = read_labels(labels_file, settings().read_shadow_key()) if labels_file else None
    compared = [
        (
            judge_challenger(group),
            None if labels is None else compare_with_labels(group, labels, n_bootstrap=bootstrap),
        )
        for group in groups.values()
    ]
    if labels is not None and not any(labelled for _, labelled in compared):
        raise UsageError(
            f"None of the {len(labels)} labelled images was mirrored. Images are named under this "
            "installation's key (HILUM_SHADOW_KEY, or shadow-key in HILUM_HOME): it must be the one that the "
            "client had, and the files must be those that were sent, unchanged."
        )
    for challenge, labelled in compared:
        if as_json:
            truth = {} if labelled is None else {"labelled": labelled.as_dict()}
            emit_json(challenge.as_dict() | truth)
            continue
        stdout.print(challenge_table(challenge))
        if labelled is not None:
            for sentence in labelled_sentences(labelled):
                stdout.print(sentence, markup=False)
            if labelled.comparison is not None:
                stdout.print("A: the champion, B: the challenger")
                stdout.print(comparison_table(labelled.comparison))
