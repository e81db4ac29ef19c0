// Program controlplane is etcd, kube-apiserver, kube-controller-manager and kubectl in one file.
//
// The first argument names the component, the rest are its own flags. One command more,
// service-account-key, prints a new key to sign tokens with, so that no openssl is needed. Tests run each component as
// a process of its own, so that they can freeze, kill or restart one alone; one program instead
// of four is built once and shares its code on disk and in memory.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubeconfig files may name an auth provider
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // the components' own client metrics
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

// parentVariable holds the process id of the parent whose death ends this process at once.
const parentVariable = "CONTROLPLANE_DIE_WITH"

// usage is printed when the first argument names no component.
const usage = "usage: controlplane etcd|kube-apiserver|kube-controller-manager|kubectl [flags]\n" +
	"       controlplane service-account-key"

// keyBits is enough for keys that live as long as a test run, and quick to make.
const keyBits = 2048

// init runs on the process's first thread, which Go never ends: the kernel forgets a death signal
// together with the thread that asked for it.
func init() {
	if parent := os.Getenv(parentVariable); parent != "" {
		dieWith(parent)
		_ = os.Unsetenv(parentVariable) // plugins of kubectl have a parent of their own
	}
}

// dieWith asks the kernel to kill this process, also a frozen one, when the parent is gone.
func dieWith(parent string) {
	_, _, errno := syscall.RawSyscall(
		syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)
	if errno != 0 {
		fail("cannot ask for a signal at the parent's death: %v", errno)
	}
	// The parent may have died between the start of this process and the call above.
	if strconv.Itoa(os.Getppid()) != parent {
		fail("the parent process %s is gone", parent)
	}
}

func main() {
	if len(os.Args) < 2 {
		fail(usage)
	}
	component := os.Args[1]
	os.Args = os.Args[1:] // each component reads its own name and flags from there
	switch component {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		run(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		run(controllermanager.NewControllerManagerCommand())
	case "kubectl":
		runKubectl()
	case "service-account-key":
		printKey()
	default:
		fail("no component %q; "+usage, component)
	}
}

// run ends the process with the component's exit code.
func run(command *cobra.Command) {
	os.Exit(cli.Run(command))
}

// runKubectl does what kubectl's own main function does: verbosity first, errors worded by it.
func runKubectl() {
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}

// printKey writes a new RSA key in PEM to standard output.
func printKey() {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		fail("cannot make a key: %v", err)
	}
	block := pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := pem.Encode(os.Stdout, &block); err != nil {
		fail("cannot write the key: %v", err)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(2)
}
