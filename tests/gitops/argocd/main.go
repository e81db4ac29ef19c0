// Program argocd is the parts of Argo CD that meet a release, in one file.
//
// The first argument names the part: `judge` runs the Lua of an argocd-cm on objects, `sync` keeps
// a namespace as a Git repository has it, `project` says what an AppProject lets through, `can` what
// its roles allow. All are Argo CD's own code: its settings, its Lua machine, its comparison with
// ignoreDifferences, its sync, its projects, its access control. What stands between them in Argo
// CD's controller and cannot be imported is told here as it is told there, with the name of the
// original.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: argocd judge|sync|project|can [flags]"))
	}
	var err error
	switch os.Args[1] {
	case "judge":
		err = judge(os.Args[2:])
	case "project":
		err = permits(os.Args[2:])
	case "can":
		err = can(os.Args[2:])
	case "sync":
		err = syncForever(os.Args[2:])
	default:
		err = fmt.Errorf("there is no part %q: judge, sync, project or can", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
