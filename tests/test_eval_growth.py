from __future__ import annotations

import numpy as np

from eval.growth import _pages, _points, grown, table


def test_an_index_is_built_and_asked_in_processes_of_their_own(tmp_path):
    (row,) = grown([120], tmp_path)
    assert row.passages == 120
    assert row.recall == 1
    assert 0 < row.p50_ms <= row.p95_ms
    assert row.build_mb > 50 and row.reader_mb > row.reader_own_mb > 10
    assert 0 < row.disk_mb < 20
    assert list(tmp_path.iterdir()) == []
    last = table([row]).splitlines()[-1]
    assert last.startswith("| 120 |") and last.count("|") == 11


def test_passages_are_the_same_each_time_and_cut_as_passages_are():
    (one, *_), (other, *_) = (list(_pages(25)) for _ in range(2))
    assert one == other
    pages = list(_pages(25))
    assert [len(chunks) for _, chunks in pages] == [10, 10, 5]
    for document, chunks in pages:
        for chunk in chunks:
            assert document.text[chunk.start : chunk.end] == chunk.text
            assert 1 <= len(chunk.sentences) <= 2


def test_points_are_of_unit_length_and_gather_around_centres():
    points = _points(7, 2000)
    assert np.allclose(np.linalg.norm(points, axis=1), 1, atol=1e-5)
    assert np.array_equal(points, _points(7, 2000))
    cosines = points @ points.T
    np.fill_diagonal(cosines, 0)
    assert np.median(cosines.max(axis=1)) > 0.4 > 0.1 > np.median(cosines)
