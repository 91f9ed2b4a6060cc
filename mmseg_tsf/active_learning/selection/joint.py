"""Joint choices: units that are chosen because of each other, not best first."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from mmengine.dist import all_gather_object, get_rank

from .candidates import CHUNK, REACH, RECORD, best_first

CENTRES = 1024  # whose distances are computed at a time
VALUES = 1 << 18  # of embeddings that are in memory at a time: they fit into the cache


class JointCandidates:
    """Candidates of the whole pool with their embeddings, on disk, each rank its own share.

    Memory does not grow with the pool, but for 9 bytes of a candidate in :func:`k_center`: a
    record takes 21 bytes of disk and an embedding 2 D (float16), 600 MB for a million images with
    D = 300. Every method must be called by all ranks alike.

    Args:
        budget: Amount that may be spent.
        folder: Folder of the scratch files; the system's scratch folder by default.

    Attributes:
        centres: ``(L, D)`` float32 embeddings of the labelled images, where the strategy embeds.
    """

    def __init__(self, budget: int, folder: str | None = None) -> None:
        self.budget = budget
        self.centres = np.zeros((0, 0), np.float32)
        self._records = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._embeddings = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._num, self._dim = 0, 0

    def __enter__(self) -> JointCandidates:
        return self

    def __exit__(self, *_) -> None:
        self._records.close()
        self._embeddings.close()

    def __len__(self) -> int:
        """Number of candidates of this rank."""
        return self._num

    def add(self, records: np.ndarray, embeddings: np.ndarray | None) -> None:
        """Adds units of an image.

        Args:
            records: ``(M,)`` of :data:`RECORD`.
            embeddings: ``(M, D)``, or ``None`` where the strategy has none.
        """
        self._records.write(records.tobytes())
        if embeddings is not None and len(records):
            self._dim = embeddings.shape[1]
            self._embeddings.write(embeddings.astype(np.float16).tobytes())
        self._num += len(records)

    def records(self) -> np.ndarray:
        """``(M,)`` records of this rank, mapped from disk."""
        return self._mapped(self._records, RECORD, (self._num,))

    def embeddings(self) -> np.ndarray:
        """``(M, D)`` float16 embeddings of this rank, mapped from disk."""
        return self._mapped(self._embeddings, np.dtype(np.float16), (self._num, self._dim))

    def chunks(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Positions, records and float32 embeddings of a few candidates at a time."""
        records, embeddings = self.records(), self.embeddings()
        length = min(CHUNK, max(1, VALUES // max(1, self._dim)))
        for begin in range(0, self._num, length):
            own = slice(begin, min(begin + length, self._num))
            yield own, records[own], embeddings[own].astype(np.float32)

    def _mapped(self, file, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        file.flush()
        if 0 in shape:
            return np.zeros(shape, dtype)
        return np.memmap(file, dtype, 'r', shape=shape)


def k_center(candidates: JointCandidates, metric: str = 'euclidean') -> np.ndarray:
    """Greedy k-center (Sener & Savarese 2018): the candidate farthest from all centres, in turn.

    Each rank keeps the distance of its candidates to the nearest centre and offers its farthest
    one; all ranks take the best offer as the next centre. Of equal distances the larger key of the
    records wins, so the answer does not depend on ranks. Time: one pass over the embeddings for
    each choice and one for every 1,024 centres, that is (chosen + labelled) x M x D operations.

    Args:
        candidates: Units with embeddings; those that do not fit into the rest of the budget are
            passed over.
        metric: ``'euclidean'`` or ``'cosine'``.

    Returns:
        np.ndarray: Records of the chosen units, in the order of the choice, the same on all ranks.
    """
    records, left, chosen = candidates.records(), candidates.budget, []
    distance = np.full(len(candidates), np.inf, np.float32)
    for begin in range(0, len(candidates.centres), CENTRES):
        _approach_nearest(candidates, distance, candidates.centres[begin : begin + CENTRES], metric)
    is_open = np.ones(len(candidates), bool)
    while True:
        is_open &= records['cost'] <= left
        found = all_gather_object(_farthest(candidates, records, distance, is_open))
        offers = [(offer[:2], rank, offer) for rank, offer in enumerate(found) if offer is not None]
        if not offers:
            return np.array(chosen, RECORD)
        _, rank, (_, _, place, record, centre) = max(offers, key=lambda offer: offer[0])
        chosen.append(record)
        left -= int(record['cost'])
        if rank == get_rank():
            is_open[place] = False
        _approach(candidates, distance, centre, metric)


def best_of_groups(candidates: JointCandidates, quotas: Mapping[int, int]) -> np.ndarray:
    """The best candidates of each group that its quota pays; those that do not fit are passed over.

    Args:
        candidates: Units; their groups are predicted classes.
        quotas: Amount that may be spent on each group; groups without a quota get nothing.

    Returns:
        np.ndarray: Records of the chosen units, the same on all ranks.
    """
    chosen = []
    for group, quota in sorted(quotas.items()):
        own = (records[records['group'] == group] for _, records, _ in candidates.chunks())
        chosen.append(best_of(own, quota))
    return np.concatenate([np.zeros(0, RECORD), *chosen])


def best_of(chunks: Iterable[np.ndarray], quota: int) -> np.ndarray:
    """The best candidates of all ranks that a quota pays; those that do not fit are passed over.

    Args:
        chunks: Records of this rank, a few at a time.
        quota: Amount that may be spent.

    Returns:
        np.ndarray: Records of the chosen units, best first, the same on all ranks.
    """
    own = np.zeros(0, RECORD)
    for records in chunks:
        if len(own) and int(own['cost'].sum()) > REACH * quota:  # the worst of them is the last
            records = records[records['key'] >= own['key'][-1]]
        records = records[records['cost'] <= quota]
        own = _within_reach(np.concatenate((own, records)), quota) if len(records) else own
    chosen = []
    for record in _within_reach(np.concatenate(all_gather_object(own)), quota):
        if record['cost'] <= quota:
            chosen.append(record)
            quota -= int(record['cost'])
    return np.array(chosen, RECORD)


def _within_reach(records: np.ndarray, quota: int) -> np.ndarray:
    """The best records, as far as :data:`REACH` quotas go: a part of them holds all that fit."""
    records = best_first(records)
    spent = np.cumsum(records['cost'], dtype=np.int64)
    return records[: int(np.searchsorted(spent, REACH * quota, 'right')) + 1]


def _approach(
    candidates: JointCandidates, distance: np.ndarray, centre: np.ndarray, metric: str
) -> None:
    """Lowers ``(M,)`` distances to those to a new centre ``(D,)``, in place."""
    for own, _, embeddings in candidates.chunks():
        np.minimum(distance[own], _distances(embeddings, centre, metric), out=distance[own])


def _approach_nearest(
    candidates: JointCandidates, distance: np.ndarray, centres: np.ndarray, metric: str
) -> None:
    """Lowers ``(M,)`` distances to those to the nearest of ``(L, D)`` centres, in place.

    Matrix products find the nearest centre. They round differently for chunks of other lengths, so
    the distance that counts is computed as in :func:`_approach`.
    """
    shown = _unit_vectors(centres) if metric == 'cosine' else centres
    half_squares = np.square(shown).sum(axis=1) / 2
    for own, _, embeddings in candidates.chunks():
        nearest = (embeddings @ shown.T - half_squares).argmax(axis=1)
        new = _distances(embeddings, centres[nearest], metric)
        np.minimum(distance[own], new, out=distance[own])


def _distances(embeddings: np.ndarray, centres: np.ndarray, metric: str) -> np.ndarray:
    """``(M,)`` distances of ``(M, D)`` embeddings to one centre, or to one each."""
    if metric == 'cosine':
        embeddings, centres = _unit_vectors(embeddings), _unit_vectors(centres)
    return np.square(embeddings - centres).sum(axis=-1)


def _unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1 in the last dimension, whose squared distance is twice the cosine's."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _farthest(
    candidates: JointCandidates, records: np.ndarray, distance: np.ndarray, is_open: np.ndarray
) -> tuple | None:
    """This rank's offer: distance, key, position, record and embedding; ``None`` without any."""
    places = is_open.nonzero()[0]
    if not len(places):
        return None
    far = places[distance[places] == distance[places].max()]
    place = far[records['key'][far].argmax()]
    embedding = candidates.embeddings()[place].astype(np.float32)
    key = int(records['key'][place])
    return float(distance[place]), key, int(place), np.array(records[place]), embedding
