"""From what a provider gives to evidence: one step per reading, with nothing to forget.

The counting (last value of each series) lives in memory only. After a restart the first reading
is a new starting point: the block in between is lost, which is harmless, and its look is counted
as spent, which keeps the bound on false alarms.
"""

from dataclasses import dataclass, field, replace
from typing import assert_never

from rollout.analysis.counts import Counting, Failed, Missing, Outcome, Reading
from rollout.analysis.evidence import Evidence, Measured, Stage
from rollout.analysis.signals import Track, signals
from rollout.resources.policy import RolloutPolicySpec


@dataclass(frozen=True)
class Ledger:
    """Evidence of a release, and what is needed to add the next reading to it."""

    policy: RolloutPolicySpec
    evidence: Evidence = field(default_factory=Evidence)
    counting: Counting = field(default_factory=Counting)

    def take(self, outcome: Outcome, stage: Stage) -> "Ledger":
        """Give the ledger with one more outcome of the provider.

        Call it once per reading. Also readings from before the stage (warm-up, weight 0) belong
        here: they are the starting point of the blocks to come.
        """
        match outcome:
            case Reading():
                return self._read(outcome, stage)
            case Missing():
                remarks = dict.fromkeys(Track, outcome.reason)
                return replace(self, evidence=self.evidence.with_remarks(remarks))
            case Failed():
                evidence = self.evidence.with_trouble(outcome.at, outcome.reason)
                return replace(self, evidence=evidence)
            case _:
                assert_never(outcome)

    def _read(self, reading: Reading, stage: Stage) -> "Ledger":
        counting, block = self.counting.take(reading, signals(self.policy))
        evidence = self.evidence.with_remarks(reading.remarks)
        if block is not None:
            evidence = evidence.with_block(block, stage)
        if reading.at >= stage.since:
            evidence = self._measured(evidence, reading)
        return replace(self, evidence=evidence, counting=counting)

    def _measured(self, evidence: Evidence, reading: Reading) -> Evidence:
        for metric in self.policy.value_metrics:
            value = reading.values.get(metric.name)
            if value is not None:
                measured = Measured(reading.at, value)
                evidence = evidence.with_value(metric.name, measured, metric.failures.of)
        return evidence
