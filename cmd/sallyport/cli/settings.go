package cli

import (
	"flag"
	"fmt"

	"sallyport/config"
)

// Settings parses the arguments of a command, and reads and checks the settings that they
// name. rest is how many arguments the command takes besides flags; checks find more faults.
func (p *Program) Settings(f Flags, args []string, rest int, checks ...config.Check) (config.Config, error) {
	load := p.SettingsFlags(f, checks...)
	if err := f.Parse(args, rest); err != nil {
		return config.Config{}, err
	}
	return load()
}

// SettingsFlags declares the flags of a command that reads settings. The function that it
// returns reads them, once the flags are parsed.
func (p *Program) SettingsFlags(f Flags, checks ...config.Check) func() (config.Config, error) {
	path := f.String("config", p.Variable("SALLYPORT_CONFIG"), "settings `file`; without one, the environment alone")
	show := f.Bool("print", false, "print the settings in effect and stop")
	return func() (config.Config, error) {
		c, err := config.Load(*path, p.Environ, checks...)
		if err != nil {
			return c, fmt.Errorf("the settings have faults:\n%w", err)
		}
		if *show {
			fmt.Fprint(p.Out, c.Redacted())
			return c, flag.ErrHelp
		}
		return c, nil
	}
}
