package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	applister "github.com/argoproj/argo-cd/v3/pkg/client/listers/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/server/rbacpolicy"
	"github.com/argoproj/argo-cd/v3/util/assets"
	"github.com/argoproj/argo-cd/v3/util/rbac"
	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"
)

// permission is what a project says to an object: empty where it lets it through.
type permission struct {
	Refused string `json:"refused"`
}

// wish is what somebody of these groups asks Argo CD's server to do with something.
type wish struct {
	Groups   []string `json:"groups"`
	Resource string   `json:"resource"`
	Action   string   `json:"action"`
	Object   string   `json:"object"`
}

// readProject has Argo CD say whether it would take a project; unknown fields are refused.
func readProject(file string) (*v1alpha1.AppProject, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	project := &v1alpha1.AppProject{}
	if err := yaml.UnmarshalStrict(content, project); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return project, project.ValidateProject()
}

func readApplication(file string) (*v1alpha1.Application, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	app := &v1alpha1.Application{}
	if err := yaml.UnmarshalStrict(content, app); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return app, nil
}

// cluster is where an Application goes to, as argo.GetDestinationCluster finds it.
func cluster(app *v1alpha1.Application) *v1alpha1.Cluster {
	return &v1alpha1.Cluster{Server: app.Spec.Destination.Server, Name: app.Spec.Destination.Name}
}

// noClusters are those that belong to a project alone.
func noClusters(string) ([]*v1alpha1.Cluster, error) {
	return nil, nil
}

// permits reads objects from standard input, one JSON document a line, and answers each with what
// a sync of the Application would say to it by its project's rules.
func permits(arguments []string) error {
	flags := flag.NewFlagSet("project", flag.ExitOnError)
	file := flags.String("project", "", "file with the AppProject")
	application := flags.String("application", "", "file with the Application")
	_ = flags.Parse(arguments)
	project, err := readProject(*file)
	if err != nil {
		return err
	}
	app, err := readApplication(*application)
	if err != nil {
		return err
	}
	if err := takes(project, app); err != nil {
		return err
	}
	decoder, encoder := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for decoder.More() {
		obj := &unstructured.Unstructured{}
		if err := decoder.Decode(&obj.Object); err != nil {
			return err
		}
		said := permission{}
		if err := permit(project, app, obj, obj.GetNamespace() != ""); err != nil {
			said.Refused = err.Error()
		}
		if err := encoder.Encode(said); err != nil {
			return err
		}
	}
	return nil
}

// takes is argo.ValidatePermissions: whether an Application may be in a project.
func takes(project *v1alpha1.AppProject, app *v1alpha1.Application) error {
	if app.Spec.Project != project.Name {
		return fmt.Errorf("the application is of project %s, not %s", app.Spec.Project, project.Name)
	}
	if !project.IsSourcePermitted(app.Spec.GetSource()) {
		return fmt.Errorf(
			"application repo %s is not permitted in project '%s'", app.Spec.GetSource().RepoURL, project.Name)
	}
	return reaches(project, app, app.Spec.Destination.Namespace)
}

func reaches(project *v1alpha1.AppProject, app *v1alpha1.Application, namespace string) error {
	permitted, err := project.IsDestinationPermitted(cluster(app), namespace, noClusters)
	if err != nil {
		return err
	}
	if !permitted {
		return fmt.Errorf("namespace %v is not permitted in project '%s'", namespace, project.Name)
	}
	return nil
}

// permit is what appStateManager.SyncAppState has each object pass before it is written.
func permit(
	project *v1alpha1.AppProject, app *v1alpha1.Application, obj *unstructured.Unstructured, namespaced bool,
) error {
	kind := obj.GroupVersionKind().GroupKind()
	if !project.IsGroupKindPermitted(kind, namespaced) {
		return fmt.Errorf(
			"resource %s:%s is not permitted in project %s", kind.Group, kind.Kind, project.Name)
	}
	if !namespaced {
		return nil
	}
	return reaches(project, app, obj.GetNamespace())
}

// can reads wishes from standard input, and answers each with whether Argo CD's server grants it
// by the roles of the project alone: there is no other policy.
func can(arguments []string) error {
	flags := flag.NewFlagSet("can", flag.ExitOnError)
	file := flags.String("project", "", "file with the AppProject")
	_ = flags.Parse(arguments)
	project, err := readProject(*file)
	if err != nil {
		return err
	}
	enforcer, err := enforce(project)
	if err != nil {
		return err
	}
	decoder, encoder := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for decoder.More() {
		asked := wish{}
		if err := decoder.Decode(&asked); err != nil {
			return err
		}
		claims := jwt.MapClaims{"sub": "ana", "groups": asked.Groups}
		granted := enforcer.Enforce(claims, asked.Resource, asked.Action, asked.Object)
		if err := encoder.Encode(map[string]bool{"granted": granted}); err != nil {
			return err
		}
	}
	return nil
}

// enforce is how NewServer of Argo CD's server puts its enforcer together.
func enforce(project *v1alpha1.AppProject) (*rbac.Enforcer, error) {
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{
		cache.NamespaceIndex: cache.MetaNamespaceIndexFunc,
	})
	if err := indexer.Add(project); err != nil {
		return nil, err
	}
	projects := applister.NewAppProjectLister(indexer).AppProjects(argocdNamespace)
	enforcer := rbac.NewEnforcer(fake.NewClientset(), argocdNamespace, "argocd-rbac-cm", nil)
	enforcer.EnableEnforce(true)
	if err := enforcer.SetBuiltinPolicy(assets.BuiltinPolicyCSV); err != nil {
		return nil, err
	}
	enforcer.SetClaimsEnforcerFunc(rbacpolicy.NewRBACPolicyEnforcer(enforcer, projects).EnforceClaims)
	return enforcer, nil
}

// validator is permit for a sync.
func (s *syncer) validator(obj *unstructured.Unstructured, resource *metav1.APIResource) error {
	return permit(s.project, s.app, obj, resource.Namespaced)
}
