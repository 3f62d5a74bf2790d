"""What this is, how it was made and measured, and what it must not be used for."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.estimates import told
from dashboard.frame import empty, notice, part
from dashboard.language import tr
from dashboard.look import label_name
from dashboard.sources import evaluation_api, registry_api, releases_api
from hilum.contract import FILTER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboard.sources.evaluation_api import ReleaseEvaluation

PAPERS = (
    "Bermudez Castro, Rei, Ruiz, Achanccaray Diaz, Arauco Canchumuni, Muñoz Villalobos, Borges Coelho, "
    "Forero Mendoza, Pacheco: *A free web service for fast COVID-19 classification of chest X-ray images.* "
    "2020. [arXiv:2009.01657](https://arxiv.org/abs/2009.01657)",
    "Minaee, Kafieh, Sonka, Yazdani, Jamalipour Soufi: *Deep-COVID: Predicting COVID-19 from chest X-ray "
    "images using deep transfer learning.* Medical Image Analysis 65, 2020, 101794. "
    "[doi:10.1016/j.media.2020.101794](https://doi.org/10.1016/j.media.2020.101794), "
    "[arXiv:2004.09363](https://arxiv.org/abs/2004.09363)",
    "Apostolopoulos, Mpesiana: *Covid-19: automatic detection from X-ray images utilizing transfer learning "
    "with convolutional neural networks.* Physical and Engineering Sciences in Medicine 43, 2020, 635-640. "
    "[doi:10.1007/s13246-020-00865-4](https://doi.org/10.1007/s13246-020-00865-4)",
    "Soares, Soares: *Automatic detection of COVID-19 cases on X-ray images using convolutional neural "
    "networks.* 2020. [arXiv:2007.05494](https://arxiv.org/abs/2007.05494)",
    "Civit-Masot, Luna-Perejón, Domínguez Morales, Civit: *Deep learning system for COVID-19 diagnosis aid "
    "using X-ray pulmonary images.* Applied Sciences 10, 2020, 4640. "
    "[doi:10.3390/app10134640](https://doi.org/10.3390/app10134640)",
)
"""The papers that the recipes repeat; a citation is the same in every language."""


def draw() -> None:
    """Draw the page."""
    st.title(tr("What is this?"))
    notice()
    st.write(
        tr(
            "Hilum looks at chest radiographs in two steps. A **filter** asks whether a picture is an "
            "upright frontal chest radiograph at all; what is not goes no further. A **classifier** then "
            "says how strongly the picture resembles those without a finding, with lung opacity, and with "
            "COVID-19, and shows where it looked. It assists research and triage."
        )
    )
    measured = st.container()  # filled last: its source may take seconds, what follows needs none
    st.subheader(tr("Data and method"))
    for sentence in (
        tr(
            "Images come from public collections of radiographs, listed with their source, patient, view and "
            "finding. All images of a patient are in one part of the data: to learn from, to choose by, or "
            "to test on. The names of the sources above are those of the test images."
        ),
        tr(
            "Every picture becomes the same kind of 8-bit gray image of 256 by 256 pixels before anything "
            "else, by the same program in training and here."
        ),
        tr(
            "Both networks learn by a **recipe**, a file that fixes network, data, and training. The recipes "
            "follow the five papers below."
        ),
        tr(
            "The line from which a finding is reported, and the correction of the probabilities, are chosen "
            "on validation images, not on test images."
        ),
        tr(
            "A release pins both networks, the lines and the data by their digests. It answers patients' "
            "images only after a gate has compared it with the one before; the ledger keeps who decided."
        ),
    ):
        st.markdown(f"- {sentence}")
    st.subheader(tr("Limits"))
    for sentence in (
        tr(
            "It was tested on collected images, not in a hospital's daily work. Other devices, other "
            "patients and another share of the ill change how often it is right."
        ),
        tr(
            "Where each class comes from other sources, a network may learn the source instead of the "
            "disease. *Evaluation* shows the numbers of each source; *Data and drift* how close the two go "
            "together."
        ),
        tr(
            "The labels come from the collections: some from reports, some from laboratory tests, few from "
            "several readers. COVID-19 is not seen in every radiograph of somebody who has it."
        ),
        tr(
            "It knows three answers. Fractures, nodules, effusions, tubes and all else are not looked for: "
            "“no finding” does not mean a healthy chest."
        ),
        tr(
            "The heat map shows what the answer rests on, not where a disease is. A probability is that "
            "of pictures like those tested, not of this patient."
        ),
    ):
        st.markdown(f"- {sentence}")
    st.subheader(tr("What it must not be used for"))
    for sentence in (
        tr("To diagnose, or to rule a disease out, without a qualified reader."),
        tr("To decide on treatment, admission, isolation or discharge."),
        tr(
            "For what the test images above do not hold: children, say, lateral films, films of patients "
            "lying down, or CT."
        ),
        tr("In place of a laboratory test for SARS-CoV-2."),
    ):
        st.markdown(f"- {sentence}")
    st.subheader(tr("The papers it grew from"))
    for paper in PAPERS:
        st.markdown(f"- {paper}")
    with measured, part(tr("How the release that answers was measured")):
        _measured()


def _measured() -> None:
    """Say how the champion, or the newest release where there is none, was evaluated."""
    number = registry_api.promised().aliases.get("champion")
    if number is None:
        releases = releases_api.releases()
        if not releases:
            empty(tr("There is no release yet. `hilum release create` makes one."))
            return
        number = releases[0].number
        st.caption(tr("No release was promoted yet; this is the newest one."))
    evaluation = evaluation_api.evaluation(number)
    if evaluation is None:
        empty(tr("This release's classifier was not evaluated. `hilum evaluate classifier` does it."))
        return
    _evaluated(evaluation)
    filter_ = evaluation_api.evaluation(number, FILTER)
    if filter_ is None:
        empty(tr("This release's filter was not evaluated. `hilum evaluate filter` does it."))
        return
    st.write(
        tr(
            "Its filter was tested on {n} pictures: {classes}.",
            n=filter_.result["n_images"],
            classes=_counts(filter_.result),
        )
    )
    _table(filter_)
    _read_from(filter_)


def _evaluated(evaluation: "ReleaseEvaluation") -> None:
    result = evaluation.result
    st.write(
        tr(
            "Release {number}, trained by the recipe `{recipe}`, was tested on {n} images of {patients} "
            "patients whom it had not seen: {classes}. Sources: {sources}. Intervals hold with 95 % "
            "({n_bootstrap} resamplings of the patients, or Wilson's).",
            number=evaluation.release,
            recipe=evaluation.recipe,
            n=result["n_images"],
            patients=result["n_patients"],
            classes=_counts(result),
            sources=", ".join(f"`{name}`" for name in result["groups"].get("source", {})) or "-",
            n_bootstrap=result["n_bootstrap"],
        )
    )
    _table(evaluation)
    strength = result["source_label_association"]
    if strength is not None:
        st.write(
            tr("Source and class go together by {strength:.2f} (Cramér's V, 0 to 1).", strength=strength)
        )
    _read_from(evaluation)


def _table(evaluation: "ReleaseEvaluation") -> None:
    st.dataframe(
        [
            {
                tr("class"): label_name(label),
                tr("AUROC"): told(measures["auroc"]),
                tr("sensitivity"): told(measures["sensitivity"]),
                tr("specificity"): told(measures["specificity"]),
                tr("reported from"): _line(evaluation, label),
            }
            for label, measures in evaluation.result["whole"]["per_class"].items()
        ],
        hide_index=True,
        width="stretch",
    )


def _read_from(evaluation: "ReleaseEvaluation") -> None:
    st.caption(
        tr(
            "Read from run {run} in MLflow; data set {digest}.",
            run=evaluation.run_id,
            digest=str(evaluation.result["data_digest"])[:12],
        )
    )


def _counts(result: "Mapping[str, Any]") -> str:
    """Return how many images each class has."""
    return ", ".join(f"{label_name(label)} {n}" for label, n in result["whole"]["counts"].items())


def _line(evaluation: "ReleaseEvaluation", label: str) -> str:
    """Return the probability from which a label is reported; a dash for the label that is left over."""
    threshold = evaluation.thresholds.get(label)
    return "-" if threshold is None else f"{threshold:.2f}"
