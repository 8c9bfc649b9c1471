package desired

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sallyport/config/strict"
	"sallyport/mfa/recovery"
	"sallyport/mfa/totp"
	"sallyport/provider/claims"
)

var (
	userID   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	username = regexp.MustCompile(`^[^@+\s][^@\s]*$`)
	email    = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
	phone    = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`) // E.164
	phc      = regexp.MustCompile(`^\$(argon2id|2[aby])\$`)
)

func (u *User) check(r *strict.Reader, path string, names map[string]bool) {
	if u.ID != "" && !userID.MatchString(u.ID) {
		r.Fault(path+".id", "must be 32 lower-case hexadecimal digits in the layout 8-4-4-4-12")
	}
	u.checkNames(r, path, names)
	if u.Password != "" && u.PasswordHash != "" {
		r.Fault(path, "password and password_hash exclude each other")
	}
	if u.PasswordHash != "" && !phc.MatchString(u.PasswordHash) {
		r.Fault(path+".password_hash", "must be an argon2id or bcrypt hash in its text form")
	}
	u.checkTOTP(r, path)
	u.checkCodes(r, path)
	r.OneOf(path+".status", u.Status, []string{"", "active", "pending", "disabled"})
	claims := claims.ProfileClaims()
	for _, claim := range strict.SortedKeys(u.Profile) {
		if !slices.Contains(claims, claim) {
			r.Fault(path+".profile."+claim, "is not a profile claim; those are %s", strings.Join(claims, ", "))
		}
	}
}

func (u *User) checkNames(r *strict.Reader, path string, names map[string]bool) {
	given := 0
	for _, n := range []struct {
		key, value string
		shape      *regexp.Regexp
		want       string
	}{
		{"username", u.Username, username, "must be without spaces and @, and not begin with +"},
		{"email", u.Email, email, "must be an e-mail address"},
		{"phone_number", u.Phone, phone, "must be in international form, such as +4915112345678"},
	} {
		if n.value == "" {
			continue
		}
		given++
		if !n.shape.MatchString(n.value) || len(n.value) > 320 {
			r.Fault(path+"."+n.key, "%s", n.want)
		}
		canonical := strings.ToLower(n.value)
		if names[canonical] {
			r.Fault(path+"."+n.key, "another user has this name")
		}
		names[canonical] = true
	}
	if given == 0 {
		r.Fault(path, "needs a username, an email or a phone_number")
	}
	if u.EmailVerified && u.Email == "" {
		r.Fault(path+".email_verified", "there is no email")
	}
	if u.PhoneVerified && u.Phone == "" {
		r.Fault(path+".phone_number_verified", "there is no phone_number")
	}
}

// checkTOTP allows the parameters that authenticator apps support (Key Uri Format).
func (u *User) checkTOTP(r *strict.Reader, path string) {
	r.OneOf(path+".totp_algorithm", u.TOTPAlgorithm, []string{"", "SHA1", "SHA256", "SHA512"})
	if u.TOTPDigits != 0 && u.TOTPDigits != 6 && u.TOTPDigits != 8 {
		r.Fault(path+".totp_digits", "must be 6 or 8")
	}
	if u.TOTPPeriod != 0 && u.TOTPPeriod != 30*time.Second && u.TOTPPeriod != time.Minute {
		r.Fault(path+".totp_period", "must be 30s or 60s")
	}
	if u.TOTPSecret == "" {
		if u.TOTPAlgorithm != "" || u.TOTPDigits != 0 || u.TOTPPeriod != 0 {
			r.Fault(path+".totp_secret", "is required beside the other totp keys")
		}
		return
	}
	if _, err := totp.ParseSecret(u.TOTPSecret); err != nil {
		r.Fault(path+".totp_secret", totp.SecretShapes)
	}
}

func (u *User) checkCodes(r *strict.Reader, path string) {
	if len(u.RecoveryCodes) > 32 {
		r.Fault(path+".recovery_codes", "must be 32 at most")
	}
	seen := map[string]bool{}
	for i, typed := range u.RecoveryCodes {
		at := fmt.Sprintf("%s.recovery_codes[%d]", path, i)
		code, ok := recovery.Canonical(typed)
		switch {
		case !ok:
			r.Fault(at, recovery.Shapes)
		case seen[code]:
			r.Fault(at, "is there twice")
		}
		seen[code] = true
	}
}
