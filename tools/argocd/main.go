// Command argocd-diff tells whether Argo CD would call an application Synced. It reads one JSON object from standard
// input: the Application, and side by side its objects as Git has them and as the cluster has them. It prints "Synced"
// or "OutOfSync" and, for each object that differs, its kind, its name, what is there and what a sync would make of it.
//
// The comparison is the engine's that Argo CD is built on, set up as Argo CD sets it up (controller/state.go and
// util/argo/diff); of ignoreDifferences only managedFieldsManagers is understood, and anything else refused. The rest
// of Argo CD is four times as much to compile.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube/scheme"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/argoproj/argo-cd/v3/util/argo/managedfields"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
)

// Under this name Argo CD applies server-side.
const manager = "argocd-controller"

type application struct {
	Spec struct {
		SyncPolicy struct {
			SyncOptions []string `json:"syncOptions"`
		} `json:"syncPolicy"`
		IgnoreDifferences []ignored `json:"ignoreDifferences"`
	} `json:"spec"`
}

type ignored struct {
	Group                 string   `json:"group"`
	Kind                  string   `json:"kind"`
	JQPathExpressions     []string `json:"jqPathExpressions"`
	JSONPointers          []string `json:"jsonPointers"`
	ManagedFieldsManagers []string `json:"managedFieldsManagers"`
}

type question struct {
	Application application `json:"application"`
	// Whether the API server is asked for each prediction (controller.diff.server.side).
	ServerSideDiff bool                         `json:"serverSideDiff"`
	Targets        []*unstructured.Unstructured `json:"targets"`
	Lives          []*unstructured.Unstructured `json:"lives"`
}

func main() {
	if err := judge(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(arguments []string, in io.Reader, out io.Writer) error {
	if len(arguments) != 1 {
		return fmt.Errorf("usage: argocd-diff KUBECONFIG < QUESTION")
	}
	var asked question
	if err := json.NewDecoder(in).Decode(&asked); err != nil {
		return fmt.Errorf("the question cannot be read: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", arguments[0])
	if err != nil {
		return err
	}
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	_, parser, err := kubectl.LoadOpenAPISchema(config)
	if err != nil {
		return err
	}
	options := []diff.Option{
		diff.WithGVKParser(parser),
		diff.WithManager(manager),
		diff.WithLogr(logr.Discard()),
		diff.WithStructuredMergeDiff(has(asked.Application.Spec.SyncPolicy.SyncOptions, "ServerSideApply=true")),
		diff.WithServerSideDiff(asked.ServerSideDiff),
	}
	if asked.ServerSideDiff {
		applier, cleanup, err := kubectl.ManageServerSideDiffDryRuns(config)
		if err != nil {
			return err
		}
		defer cleanup()
		options = append(options, diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(applier)))
	}
	for index, target := range asked.Targets {
		trusted, err := trustedManagers(asked.Application.Spec.IgnoreDifferences, target)
		if err != nil {
			return err
		}
		if len(trusted) == 0 {
			continue
		}
		kind := scheme.ResolveParseableType(target.GroupVersionKind(), parser)
		live, config, err := managedfields.Normalize(asked.Lives[index], target, trusted, kind)
		if err != nil {
			return err
		}
		asked.Lives[index], asked.Targets[index] = live, config
	}
	results, err := diff.DiffArray(asked.Targets, asked.Lives, options...)
	if err != nil {
		return err
	}
	return tell(out, asked.Targets, results)
}

func trustedManagers(rules []ignored, target *unstructured.Unstructured) ([]string, error) {
	var trusted []string
	kind := target.GroupVersionKind()
	for _, rule := range rules {
		if rule.Group != kind.Group || rule.Kind != kind.Kind {
			continue
		}
		if len(rule.JQPathExpressions)+len(rule.JSONPointers) > 0 {
			return nil, fmt.Errorf("only managedFieldsManagers of ignoreDifferences is understood here, for %s", kind)
		}
		trusted = append(trusted, rule.ManagedFieldsManagers...)
	}
	return trusted, nil
}

func has(options []string, wanted string) bool {
	for _, option := range options {
		if option == wanted {
			return true
		}
	}
	return false
}

func tell(out io.Writer, targets []*unstructured.Unstructured, results *diff.DiffResultList) error {
	status := "Synced"
	if results.Modified {
		status = "OutOfSync"
	}
	if _, err := fmt.Fprintln(out, status); err != nil {
		return err
	}
	for index, one := range results.Diffs {
		if !one.Modified {
			continue
		}
		target := targets[index]
		_, err := fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", target.GetKind(), target.GetName(), one.NormalizedLive, one.PredictedLive)
		if err != nil {
			return err
		}
	}
	return nil
}
