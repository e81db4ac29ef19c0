"""One signal of a case: the candidate's share of bad requests against stable's, in numbers."""

from dataclasses import dataclass
from functools import cached_property

from rollout.analysis.counts import Counts, Pair
from rollout.analysis.look import Case
from rollout.analysis.shares import p_value
from rollout.analysis.signals import Signal
from rollout.analysis.spending import spent_at


@dataclass(frozen=True)
class Comparison:
    """The numbers behind the verdict of one signal."""

    case: Case
    signal: Signal

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Counts by stage; after the cutover stable's side is what was frozen before it."""
        return self.case.evidence.pairs(self.signal.name, self.case.stage.reference)

    @cached_property
    def whole(self) -> Pair:
        """Counts of all stages that are compared with the same reference."""
        whole = Pair()
        for pair in self.pairs:
            whole = whole.plus(pair)
        return Pair(self._frozen, whole.candidate) if self.case.after_cutover else whole

    @cached_property
    def step(self) -> Pair:
        """Counts of the current stage."""
        stratum = self.case.stratum
        pair = stratum.pairs.get(self.signal.name, Pair()) if stratum else Pair()
        return Pair(self._frozen, pair.candidate) if self.case.after_cutover else pair

    @cached_property
    def p_value(self) -> float:
        """Chance of such counts, or worse, when the candidate is just within the margin."""
        return p_value(self.pairs, self.signal.margin)

    @property
    def limit(self) -> float:
        """The alpha that this look spends on this signal."""
        alpha = self.case.policy.alpha * self.signal.part
        return spent_at(alpha, max(1, self.case.evidence.looks), self.case.look.planned)

    @property
    def allowed(self) -> float:
        """Largest share of bad requests that the margin allows, by what stable shows."""
        margin = self.signal.margin
        return min(1.0, margin.ratio * self.whole.stable.rate + margin.absolute)

    @property
    def _frozen(self) -> Counts:
        before = self.case.evidence.before
        return before.counts.get(self.signal.name, Counts()) if before else Counts()

    def story(self) -> str:
        """Say the numbers in one sentence."""
        candidate, stable = self.whole.candidate, self.whole.stable
        before = " before the cutover" if self.case.after_cutover else ""
        return (
            f"{self.title} {_share(candidate)} against {_share(stable)} on stable{before}, "
            f"allowed {_percent(self.allowed)}"
        )

    @property
    def title(self) -> str:
        """Name of the signal for people: `errors`, `latency over 0.25s`."""
        bound = self.signal.bound
        return self.signal.metric if bound is None else f"{self.signal.metric} over {bound:g}s"


def _share(counts: Counts) -> str:
    return f"{_percent(counts.rate)} ({counts.bad:.0f} of {counts.total:.0f})"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
