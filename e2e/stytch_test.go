package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"sallyport/storage"
)

// TestStytchSDK runs browser/stytch.test.mjs: the SDK of Stytch for Node, unmodified, with two
// projects and codes from the outbox file.
func TestStytchSDK(t *testing.T) {
	t.Parallel()
	type project struct {
		ID     string `json:"project_id"`
		Secret string `json:"secret"`
	}
	var projects []project
	var state string
	for i := range 2 {
		p := project{fmt.Sprintf("project-test-%s", storage.FromBytes[string]([16]byte([]byte(random(16))))), "secret-test-" + random(40)}
		projects = append(projects, p)
		state += fmt.Sprintf("  - name: backend %d\n    dialects: [stytch]\n    verbs: [read, write]\n    project: %s\n    secret: %q\n", i, p.ID, p.Secret)
	}
	dir := t.TempDir()
	outbox := filepath.Join(dir, "outbox.jsonl")
	s := setStageWith(t, dir, "sqlite:"+filepath.Join(dir, "sallyport.db"), func(*stage) string { return "api_keys:\n" + state })
	s.env = []string{"SALLYPORT_OUTBOX_FILE=" + outbox, "SALLYPORT_SMS_COUNTRIES=*"}
	s.serve(t)
	text, err := json.Marshal(map[string]any{"issuer": s.issuer, "project": projects[0].ID, "secret": projects[0].Secret, "other": projects[1], "outbox": outbox})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "stage.json")
	writeFile(t, file, string(text))
	runNode(t, "stytch.test.mjs", "SALLYPORT_STAGE="+file)
}
