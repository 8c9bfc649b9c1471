package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/secretfile"
	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/config/strict"
	"sallyport/mfa/country"
	"sallyport/mfa/password"
	"sallyport/provider/desired"
	"sallyport/provider/details"
	"sallyport/provider/mtls"
	"sallyport/storage/seal"
)

// configCommand reads the settings and opens no database.
func configCommand(ctx context.Context, p *cli.Program, args []string) error {
	return p.Group(ctx, "config", "the settings a server would run with", []cli.Command{
		{Name: "check", Args: "[--config FILE]", About: "print every fault, one a line; exit code 1 if there is one", Run: configCheck},
		{Name: "print", Args: "[--config FILE]", About: "print the settings in effect: defaults, file, environment", Run: configPrint},
		{Name: "reference", Args: "[settings|state]", About: "describe every key: type, default, bounds, variable, meaning", Run: configReference},
	}, args)
}

func configCheck(_ context.Context, p *cli.Program, args []string) error {
	f := p.Flags("config check", "print every fault of the settings, one a line", "[--config FILE]",
		"It also checks the files that the settings name: that they can be read, that secrets are\n"+
			"not readable by everyone, that keys, certificates, countries and breached passwords have their format.")
	if _, err := p.Settings(f, args, 0, fileFaults); err != nil {
		return err
	}
	fmt.Fprintln(p.Out, "The settings have no faults.")
	return nil
}

func configPrint(_ context.Context, p *cli.Program, args []string) error {
	f := p.Flags("config print", "print the settings in effect: defaults, file, environment", "[--config FILE]",
		"No secret is printed: secrets are in files, of which only the paths are shown.")
	c, err := p.Settings(f, args, 0)
	if err != nil {
		return err
	}
	fmt.Fprint(p.Out, c.Redacted())
	return nil
}

func configReference(_ context.Context, p *cli.Program, args []string) error {
	f := p.Flags("config reference", "describe every key: type, default, bounds, variable, meaning", "[settings|state] [flags]",
		"settings (the default): keys of the server's settings. state: keys of a desired-state file, for apply.")
	markdown := f.Bool("markdown", false, "print Markdown, as in docs")
	if err := f.Parse(args, -1); err != nil {
		return err
	}
	about := map[string]func() ([]strict.Section, error){"": config.Reference, "settings": config.Reference, "state": desired.Reference}[f.Arg(0)]
	if about == nil || f.NArg() > 1 {
		return cli.UsageError("config reference: want settings or state")
	}
	sections, err := about()
	if err != nil {
		return err
	}
	text := strict.Plain(sections)
	if *markdown {
		text = strict.Markdown(sections)
	}
	fmt.Fprint(p.Out, text)
	return nil
}

// fileFaults checks the files that the settings name. Faults do not disclose their content.
func fileFaults(c config.Config, fault func(path, text string)) {
	if c.KeyFile != "" {
		if _, err := seal.ReadKeyFile(c.KeyFile); err != nil {
			fault("key_file", err.Error())
		}
	}
	if c.AdminKeyFile == "" {
		fault("admin_key_file", "is required to serve: the path of the file with the key of the admin API (sallyport adminkey makes one)")
	} else if _, err := secretfile.ReadAdminKey(c.AdminKeyFile); err != nil {
		fault("admin_key_file", err.Error())
	}
	if file := c.Database.DSNFile; file != "" {
		if text := secretfile.Fault(file); text != "" {
			fault("database.dsn_file", text)
		} else if _, err := c.ReadDSN(); err != nil {
			fault("database.dsn_file", strings.TrimPrefix(err.Error(), "database.dsn_file: "))
		}
	}
	for path, t := range map[string]config.TLS{"tls": c.TLS, "admin_tls": config.TLS(c.AdminTLS), "mtls": {Cert: c.MTLS.Cert, Key: c.MTLS.Key}} {
		if t.Cert == "" || t.Key == "" {
			continue
		}
		if text := secretfile.Fault(t.Key); text != "" {
			fault(path+".key", text)
		}
		if _, err := server.ReadCertificate(t); err != nil {
			fault(path+".cert", err.Error())
		}
	}
	if file := c.MTLS.ClientCAFile; file != "" {
		if _, err := mtls.ReadAuthorities(file); err != nil {
			fault("mtls.client_ca_file", err.Error())
		}
	}
	if file := c.Tracing.HeadersFile; file != "" {
		if text := secretfile.Fault(file); text != "" {
			fault("tracing.headers_file", text)
		} else if _, err := c.Tracing.ReadHeaders(); err != nil {
			fault("tracing.headers_file", err.Error())
		}
	}
	deliveryFaults(c, fault)
	if file := c.Passwords.BreachedFile; file != "" {
		if err := password.CheckBreached(file); err != nil {
			fault("passwords.breached_file", err.Error())
		}
	}
	if file := c.CountryFile; file != "" {
		if _, err := country.Open(file); err != nil {
			fault("country_file", err.Error())
		}
	}
	if file := c.DetailsFile; file != "" {
		if _, err := details.Open(file); err != nil {
			fault("authorization_details_file", err.Error())
		}
	}
	if dir := c.TemplateDir; dir != "" {
		if info, err := os.Stat(dir); err != nil {
			fault("template_dir", err.Error())
		} else if !info.IsDir() {
			fault("template_dir", "is not a folder")
		}
	}
}

// deliveryFaults checks the files that sending messages needs.
func deliveryFaults(c config.Config, fault func(path, text string)) {
	if c.Mail.Host != "" {
		if _, err := server.MailPassword(c.Mail); err != nil {
			fault("mail.password_file", err.Error())
		}
		if _, err := server.MailCA(c.Mail); err != nil {
			fault("mail.ca_file", err.Error())
		}
	}
	if c.Hook.SecretFile != "" {
		if _, err := server.HookSecrets(c.Hook); err != nil {
			fault("hook.secret_file", err.Error())
		}
	}
	if c.OutboxFile != "" {
		if info, err := os.Stat(filepath.Dir(c.OutboxFile)); err != nil || !info.IsDir() {
			fault("outbox_file", "is not in a folder")
		}
	}
}
