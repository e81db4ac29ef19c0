"""What the API answers, by example, for its OpenAPI document: one release of one shop."""

import json
from typing import Any, Final

from rollout.resources.words import API_VERSION

SPACE: Final = "shop"
NAME: Final = "checkout-v1.2.4-1f0c9"
SPEC: Final = {
    "rollout": "checkout",
    "version": "v1.2.4",
    "by": "ana@example.com",
    "reason": "new prices",
}
WHY: Final = "errors: 212 of 500 requests on candidate so far"

ROLLOUT: Final[dict[str, Any]] = {
    "apiVersion": API_VERSION,
    "kind": "Rollout",
    "metadata": {
        "name": "checkout",
        "namespace": SPACE,
        "uid": "6a1d9c0e-2f5b-4d0e-9a57-0b8f3f1d7c11",
        "resourceVersion": "48127",
        "generation": 1,
        "creationTimestamp": "2026-03-02T08:15:30Z",
    },
    "spec": {
        "target": {"deployment": "checkout"},
        "strategy": {"canary": {"steps": [{"weight": 5}, {"weight": 20}, {"weight": 50}]}},
        "policy": {"name": "strict"},
    },
    "status": {
        "observedGeneration": 1,
        "stableVersion": "v1.2.3",
        "activeRelease": NAME,
        "lastRelease": {"name": "checkout-v1.2.3-8be41", "phase": "Succeeded"},
    },
}
NEW: Final[dict[str, Any]] = {
    "apiVersion": API_VERSION,
    "kind": "Release",
    "metadata": {
        "name": NAME,
        "namespace": SPACE,
        "uid": "d0c5a6a4-7c55-4b0c-8f7e-3a9f2a41f7e2",
        "creationTimestamp": "2026-03-09T10:00:00Z",
    },
    "spec": SPEC,
}
RELEASE: Final[dict[str, Any]] = {
    **NEW,
    "metadata": {**NEW["metadata"], "resourceVersion": "48213", "generation": 1},
    "status": {
        "observedGeneration": 1,
        "phase": "Progressing",
        "reason": "FewRequests",
        "message": WHY,
        "step": 1,
        "strategy": "canary",
        "progress": "2/3",
        "weight": {"asked": 20, "applied": 20},
        "startedAt": "2026-03-09T10:00:01.204113Z",
        "since": "2026-03-09T10:01:14.900412Z",
        "marks": {"weight": "2026-03-09T10:01:17.002385Z"},
        "verdict": {
            "result": "Undecided",
            "reason": "FewRequests",
            "message": WHY,
            "at": "2026-03-09T10:01:40.110286Z",
            "metrics": [
                {
                    "name": "errors",
                    "result": "Undecided",
                    "reason": "FewRequests",
                    "message": WHY,
                    "stable": {"bad": 3, "total": 871},
                    "candidate": {"bad": 1, "total": 212},
                    "pValue": 0.58,
                    "limit": 0.0004,
                }
            ],
        },
        "timeline": [
            {
                "at": "2026-03-09T10:01:14.900412Z",
                "phase": "Progressing",
                "reason": "Step",
                "message": "weight 20 %",
                "weight": 20,
            }
        ],
    },
}
STARTED: Final[dict[str, Any]] = {
    "release": NEW,
    "assumed": ["container checkout of Deployment checkout is the version"],
    "message": f"release {NAME} is on its way: `rollout watch` follows it",
}
ASKED: Final[dict[str, Any]] = {
    "release": NAME,
    "action": {
        "id": "9b1c7f2e4a6d8035",
        "type": "rollback",
        "by": "bob@example.com",
        "reason": "latency in Frankfurt",
        "at": "2026-03-09T10:02:11.000000Z",
    },
    "message": f"{NAME}: rollback asked for; all traffic goes back to the stable version",
}
EXPLANATION: Final[dict[str, Any]] = {
    "release": NAME,
    "lines": [
        f"{NAME} (v1.2.4) is Progressing for 45s, 20 % of the traffic on it.",
        f"Why: {WHY}.",
        "Verdict: Undecided.",
        "  errors: Undecided, bad: candidate 1 of 212, stable 3 of 871, chance 0.58",
        "Next: 50 %, in 17s at the soonest, after a Pass.",
    ],
}
PODS: Final[dict[str, Any]] = {
    "release": NAME,
    "ready": {"stable": "8 of 8 ready", "candidate": "2 of 2 ready"},
}
STREAM: Final = (
    f"event: release\ndata: {json.dumps(RELEASE)}\nid: {RELEASE['metadata']['resourceVersion']}\n\n"
    'event: synced\ndata: {"releases": 1}\n\n'
)
