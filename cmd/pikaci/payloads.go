package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime/report"
)

func payloadsCommand() command {
	return command{
		name:    "payloads",
		args:    "RUN [flags]",
		summary: "say what a run built, of what, and where it was mounted",
		about: "payloads lists what a run built with Nix: of what, how long it took, where the\n" +
			"output is, and where each job's guest saw it. " + aboutRun,
		examples: []string{
			"pikaci payloads latest",
			"pikaci payloads fixture --json",
		},
		flags: func(set *pflag.FlagSet) runner {
			var r records
			asJSON := set.Bool("json", false, "print them as JSON")
			r.register(set)
			return func(_ context.Context, s *session, args []string) error {
				dir, err := r.theRun(s, "payloads", args)
				if err != nil {
					return err
				}
				past, damaged := dir.Read()
				p, err := dir.Plan()
				if err != nil {
					return err
				}
				list := report.Payloads(past, p)
				if *asJSON {
					_, err = s.stdout.Write(document(struct {
						Payloads []report.Payload `json:"payloads"`
					}{list}))
				} else if len(list) == 0 {
					s.note("pikaci: no job of run %s needs a payload", past.Run.ID)
				} else {
					err = report.WritePayloads(s.stdout, list)
				}
				if err != nil {
					return err
				}
				return damaged
			}
		},
	}
}
