package main

import (
	argodiff "github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/gitops-engine/pkg/utils/kube/scheme"
	jsonpatch "github.com/evanphx/json-patch"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// respect is what Argo CD does for RespectIgnoreDifferences=true (normalizeTargetResources in its
// controller/sync.go): the ignored fields of each target get the values that the cluster has.
func respect(found *compared) ([]*unstructured.Unstructured, error) {
	lives, targets := found.reconciled.Live, found.reconciled.Target
	normalized, err := argodiff.Normalize(lives, targets, found.config)
	if err != nil {
		return nil, err
	}
	answer := []*unstructured.Unstructured{}
	for number, live := range lives {
		target := normalized.Targets[number]
		switch {
		case target == nil:
			answer = append(answer, nil)
		case live == nil:
			answer = append(answer, targets[number])
		default:
			patched, err := withIgnored(target, normalized.Lives[number], live)
			if err != nil {
				return nil, err
			}
			answer = append(answer, patched)
		}
	}
	return answer, nil
}

// withIgnored patches a target with what normalizing has taken from its live object.
func withIgnored(target, normalized, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	versioned, err := scheme.Scheme.New(target.GroupVersionKind())
	if err != nil {
		versioned = nil
	}
	documents, err := asJSON(target, normalized, live)
	if err != nil {
		return nil, err
	}
	patched, err := patch(documents[0], documents[1], documents[2], versioned)
	if err != nil {
		return nil, err
	}
	answer := &unstructured.Unstructured{}
	_, _, err = unstructured.UnstructuredJSONScheme.Decode(patched, nil, answer)
	return answer, err
}

func asJSON(objects ...*unstructured.Unstructured) ([][]byte, error) {
	answer := [][]byte{}
	for _, obj := range objects {
		document, err := obj.MarshalJSON()
		if err != nil {
			return nil, err
		}
		answer = append(answer, document)
	}
	return answer, nil
}

func patch(target, normalized, live []byte, versioned runtime.Object) ([]byte, error) {
	if versioned == nil {
		difference, err := jsonpatch.CreateMergePatch(normalized, live)
		if err != nil {
			return nil, err
		}
		return jsonpatch.MergePatch(target, difference)
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(versioned)
	if err != nil {
		return nil, err
	}
	difference, err := strategicpatch.CreateThreeWayMergePatch(live, live, normalized, meta, true)
	if err != nil {
		return nil, err
	}
	return strategicpatch.StrategicMergePatch(target, difference, versioned)
}
