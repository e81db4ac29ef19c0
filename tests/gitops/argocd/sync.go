package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/argo"
	argodiff "github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync"
	synccommon "github.com/argoproj/gitops-engine/pkg/sync/common"
	resourceutil "github.com/argoproj/gitops-engine/pkg/sync/resource"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// told is one line of output: what one look at Git and cluster came to.
type told struct {
	Revision  string            `json:"revision"`
	Why       string            `json:"why"`
	OutOfSync []string          `json:"outOfSync"`
	Synced    []string          `json:"synced"`
	Health    map[string]string `json:"health"`
	Error     string            `json:"error,omitempty"`
}

// syncer is what Argo CD's controller knows of one Application.
type syncer struct {
	app        *v1alpha1.Application
	project    *v1alpha1.AppProject
	overrides  map[string]v1alpha1.ResourceOverride
	repository string
	render     string
	rendered   rendered
	everything bool
	config     *rest.Config
	cache      cache.ClusterCache
	kubectl    kube.Kubectl
	attempted  string
}

// rendered is what the repo server keeps of a revision: the manifests that Kustomize makes of it.
type rendered struct {
	revision string
	content  []byte
}

// compared is the outcome of a comparison (comparisonResult of Argo CD's controller).
type compared struct {
	reconciled sync.ReconciliationResult
	config     argodiff.DiffConfig
	diffs      *diff.DiffResultList
}

func syncForever(arguments []string) error {
	flags := flag.NewFlagSet("sync", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "file to reach the cluster with")
	application := flags.String("application", "", "file with the Application")
	project := flags.String("project", "", "file with its AppProject")
	configMap := flags.String("config-map", "", "file with argocd-cm")
	repository := flags.String("repository", "", "folder of the Git repository")
	render := flags.String("render", "", "program that prints what a folder comes to at a revision")
	every := flags.Duration("every", time.Second, "time between two looks")
	everything := flags.Bool("everything", false, "apply all objects each time, in sync or not")
	_ = flags.Parse(arguments)
	s, err := newSyncer(*kubeconfig, *application, *project, *configMap)
	if err != nil {
		return err
	}
	s.repository, s.render, s.everything = *repository, *render, *everything
	if err := s.cache.EnsureSynced(); err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	for ticker := time.NewTicker(*every); ; <-ticker.C {
		said, err := s.look()
		if err != nil {
			said.Error = err.Error()
		}
		if err := encoder.Encode(said); err != nil {
			return err
		}
	}
}

func newSyncer(kubeconfig, application, inProject, configMap string) (*syncer, error) {
	app, err := readApplication(application)
	if err != nil {
		return nil, err
	}
	project, err := readProject(inProject)
	if err != nil {
		return nil, err
	}
	if err := takes(project, app); err != nil {
		return nil, err
	}
	overrides, err := readOverrides(configMap)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 200, 400
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	tracking := argo.NewResourceTracking()
	live := cache.NewClusterCache(
		config,
		cache.SetKubectl(kubectl),
		cache.SetNamespaces([]string{app.Spec.Destination.Namespace}),
		cache.SetClusterResources(true),
		cache.SetPopulateResourceInfoHandler(func(un *unstructured.Unstructured, _ bool) (any, bool) {
			owner := tracking.GetAppName(un, "", v1alpha1.TrackingMethodAnnotation, "")
			return owner, owner != ""
		}),
	)
	return &syncer{
		app: app, project: project, overrides: overrides, config: config, cache: live, kubectl: kubectl,
	}, nil
}

// look compares Git with the cluster and syncs as Argo CD's autoSync would: all of a new revision,
// and of one that was synced before what is out of sync (selfHeal).
func (s *syncer) look() (told, error) {
	said := told{OutOfSync: []string{}, Synced: []string{}, Health: map[string]string{}}
	targets, revision, err := s.manifests()
	said.Revision = revision
	if err != nil {
		return said, err
	}
	found, err := s.compare(targets)
	if err != nil {
		return said, err
	}
	only := map[string]bool{}
	for number, live := range found.reconciled.Live {
		name := nameOf(found.reconciled.Target[number], live)
		if live == nil || found.reconciled.Target[number] == nil || found.diffs.Diffs[number].Modified {
			said.OutOfSync = append(said.OutOfSync, name)
			only[name] = true
		}
		if health := s.healthOf(live); health != "" {
			said.Health[name] = health
		}
	}
	automated := s.app.Spec.SyncPolicy.Automated
	switch {
	case s.everything:
		said.Why, only = "everything", nil
	case len(said.OutOfSync) == 0 || automated == nil:
		return said, nil
	case s.attempted != revision:
		said.Why, only = "revision", nil
	case automated.SelfHeal:
		said.Why = "selfHeal"
	default:
		return said, nil
	}
	said.Synced, err = s.sync(revision, found, only)
	if err == nil {
		s.attempted = revision
	}
	return said, err
}

func nameOf(target, live *unstructured.Unstructured) string {
	if target == nil {
		target = live
	}
	return target.GetKind() + "/" + target.GetName()
}

func (s *syncer) healthOf(live *unstructured.Unstructured) string {
	if live == nil {
		return string(health.HealthStatusMissing)
	}
	status, err := health.GetResourceHealth(live, lua.ResourceHealthOverrides(s.overrides))
	switch {
	case err != nil:
		return err.Error()
	case status == nil:
		return ""
	}
	return string(status.Status)
}

// manifests gives what the Application's folder comes to at HEAD, each object marked as Argo CD does.
func (s *syncer) manifests() ([]*unstructured.Unstructured, string, error) {
	revision, err := s.git("rev-parse", "HEAD")
	if err != nil {
		return nil, "", err
	}
	revision = strings.TrimSpace(revision)
	if s.rendered.revision != revision {
		command := exec.Command(s.render, revision, path.Clean(s.app.Spec.Source.Path))
		content, err := command.Output()
		if err != nil {
			return nil, revision, fmt.Errorf("%s %s: %w", s.render, revision, err)
		}
		s.rendered = rendered{revision: revision, content: content}
	}
	found, err := kube.SplitYAML(s.rendered.content)
	if err != nil {
		return nil, revision, err
	}
	for _, obj := range found {
		if err := s.mark(obj); err != nil {
			return nil, revision, err
		}
	}
	return found, revision, nil
}

func (s *syncer) git(arguments ...string) (string, error) {
	command := exec.Command("git", arguments...)
	command.Dir = s.repository
	answer, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", arguments[0], err)
	}
	return string(answer), nil
}

func (s *syncer) mark(obj *unstructured.Unstructured) error {
	space := s.app.Spec.Destination.Namespace
	namespaced, err := s.cache.IsNamespaced(obj.GroupVersionKind().GroupKind())
	if err != nil {
		return err
	}
	if namespaced {
		obj.SetNamespace(space)
	}
	return argo.NewResourceTracking().SetAppInstance(
		obj, "", s.app.Name, space, v1alpha1.TrackingMethodAnnotation, "")
}

// compare is the heart of appStateManager.CompareAppState.
func (s *syncer) compare(targets []*unstructured.Unstructured) (*compared, error) {
	space := s.app.Spec.Destination.Namespace
	live, err := s.cache.GetManagedLiveObjs(targets, func(r *cache.Resource) bool {
		owner, _ := r.Info.(string)
		return owner == s.app.Name
	})
	if err != nil {
		return nil, err
	}
	for key, obj := range live {
		permitted, err := s.project.IsLiveResourcePermitted(obj, cluster(s.app), noClusters)
		if err != nil {
			return nil, err
		}
		if !permitted {
			delete(live, key)
		}
	}
	found := &compared{reconciled: sync.Reconcile(targets, live, space, s.cache)}
	asking, cleanup, err := kube.ManageServerSideDiffDryRuns(
		s.config, s.cache.GetOpenAPISchema(), tracing.NopTracer{}, logr.Discard(),
		func(string) (kube.CleanupFunc, error) { return func() {}, nil })
	if err != nil {
		return nil, err
	}
	defer cleanup()
	found.config, err = argodiff.NewDiffConfigBuilder().
		WithDiffSettings(
			s.app.Spec.IgnoreDifferences, s.overrides, false, normalizers.IgnoreNormalizerOpts{}).
		WithTracking("", string(v1alpha1.TrackingMethodAnnotation)).
		WithNoCache().
		WithGVKParser(s.cache.GetGVKParser()).
		WithManager(common.ArgoCDSSAManager).
		WithStructuredMergeDiff(s.option("ServerSideApply=true")).
		WithServerSideDiff(resourceutil.HasAnnotationOption(
			s.app, common.AnnotationCompareOptions, "ServerSideDiff=true")).
		WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(asking)).
		Build()
	if err != nil {
		return nil, err
	}
	found.diffs, err = argodiff.StateDiffs(found.reconciled.Live, found.reconciled.Target, found.config)
	return found, err
}

func (s *syncer) option(option string) bool {
	return s.app.Spec.SyncPolicy.SyncOptions.HasOption(option)
}

// sync is the heart of appStateManager.SyncAppState.
func (s *syncer) sync(revision string, found *compared, only map[string]bool) ([]string, error) {
	if s.option("RespectIgnoreDifferences=true") {
		targets, err := respect(found)
		if err != nil {
			return nil, err
		}
		found.reconciled.Target = targets
	}
	wait := metav1.DeletePropagationForeground
	operation, cleanup, err := sync.NewSyncContext(
		revision, found.reconciled, s.config, s.config, s.kubectl, s.app.Spec.Destination.Namespace,
		s.cache.GetOpenAPISchema(),
		sync.WithLogr(logr.Discard()),
		sync.WithHealthOverride(lua.ResourceHealthOverrides(s.overrides)),
		sync.WithPermissionValidator(s.validator),
		sync.WithInitialState(synccommon.OperationRunning, "", nil, metav1.Now()),
		sync.WithOperationSettings(
			false, s.app.Spec.SyncPolicy.Automated.Prune, false, len(only) > 0),
		sync.WithResourcesFilter(
			func(_ kube.ResourceKey, target, live *unstructured.Unstructured) bool {
				return only == nil || only[nameOf(target, live)]
			}),
		sync.WithResourceModificationChecker(
			s.option("ApplyOutOfSyncOnly=true") && !s.everything, found.diffs),
		sync.WithPrunePropagationPolicy(&wait),
		sync.WithServerSideApply(s.option("ServerSideApply=true")),
		sync.WithServerSideApplyManager(common.ArgoCDSSAManager),
		sync.WithClientSideApplyMigration(true, synccommon.DefaultClientSideApplyMigrationManager),
	)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	return await(operation)
}

// await has the operation go on until it is over, as Argo CD's controller does.
func await(operation sync.SyncContext) ([]string, error) {
	context, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		operation.Sync()
		phase, message, results := operation.GetState()
		if phase.Completed() {
			return describe(phase, message, results)
		}
		select {
		case <-context.Done():
			operation.Terminate()
			return nil, fmt.Errorf("not synced in 30 s: %s", message)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func describe(
	phase synccommon.OperationPhase, message string, results []synccommon.ResourceSyncResult,
) ([]string, error) {
	names := []string{}
	for _, one := range results {
		names = append(names, fmt.Sprintf(
			"%s/%s: %s", one.ResourceKey.Kind, one.ResourceKey.Name, one.Message))
	}
	if !phase.Successful() {
		return names, fmt.Errorf("%s: %s", phase, message)
	}
	return names, nil
}
