"""Papers whose tables contradict each other: worked by hand from the counts that they print."""

import numpy as np
import pytest
from sklearn import metrics

from training.study.paper.contradictions import contradictions, rates_of
from training.train.family import load_family
from training.train.published import PublishedConfusion


def test_rates_of_a_matrix_agree_with_scikit_learn() -> None:
    labels = ("covid19", "lung_opacity", "no_finding")
    counts = ((222, 2, 0), (8, 495, 1), (27, 27, 646))
    rates = rates_of(PublishedConfusion(table="Table 3", title="t", labels=labels, counts=counts))
    truth = np.repeat(np.arange(3), np.sum(counts, axis=1))
    decided = np.concatenate([np.repeat(np.arange(3), row) for row in counts])
    assert rates["accuracy"] == pytest.approx(metrics.accuracy_score(truth, decided))
    assert rates["accuracy_2_class"] == pytest.approx(metrics.accuracy_score(truth == 0, decided == 0))
    for k, label in enumerate(labels):
        one, said = truth == k, decided == k
        assert rates[f"{label}.sensitivity"] == pytest.approx(metrics.recall_score(one, said))
        assert rates[f"{label}.specificity"] == pytest.approx(metrics.recall_score(~one, ~said))
        assert rates[f"{label}.precision"] == pytest.approx(metrics.precision_score(one, said))
        assert rates[f"{label}.f1"] == pytest.approx(metrics.f1_score(one, said))


def test_a_matrix_of_covid19_against_the_rest_says_nothing_of_three_classes() -> None:
    matrix = PublishedConfusion(
        table="Table 4", title="t", labels=("covid19", "other"), counts=((208, 16), (15, 1189))
    )
    rates = rates_of(matrix)
    assert "accuracy" not in rates
    assert rates["accuracy_2_class"] == pytest.approx((208 + 1189) / 1428)
    assert not [name for name in rates if name.startswith("other.")]


def test_known_contradictions_are_found() -> None:
    apostolopoulos = contradictions(load_family("apostolopoulos").published)
    sentence = (
        "Table 2 prints accuracy 0.9285 of mobilenetv2, the counts of Table 3 make 0.954."  # 1363 of 1428
    )
    assert any(line.endswith(sentence) for line in apostolopoulos)
    icapuc = contradictions(load_family("icapuc").published)
    assert [line for line in icapuc if "covid19.sensitivity 0.844, the counts of Table 4 make 0.884" in line]


def test_a_paper_that_agrees_with_itself_is_left_alone() -> None:
    assert contradictions(load_family("soares").published) == ()
    assert contradictions(load_family("deepcovid").published) == ()
