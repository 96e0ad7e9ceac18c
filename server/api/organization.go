package api

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
)

// Organization is a group of accounts: the management account owns what belongs to the
// organization, and up to three members administer it beside the management account.
type Organization struct {
	// ID is o- and letters and digits, as it stands in the paths of log files.
	ID string
	// Management is an account, Members are the others; when there are none named, every
	// account is a member.
	Management string
	Members    []string
}

var organizationID = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)

// check says what is wrong with the settings of an organization.
func (o *Organization) check() error {
	if o == nil {
		return nil
	}
	if !organizationID.MatchString(o.ID) {
		return fmt.Errorf("%w: setting organization-id: %q is not o- and 10 to 32 letters and digits", engine.ErrBadInput, o.ID)
	}
	for _, account := range append([]string{o.Management}, o.Members...) {
		if !auth.IsAccount(account) {
			return fmt.Errorf("%w: settings organization-management and organization-members: %q is not an account, 12 digits", engine.ErrBadInput, account)
		}
	}
	return nil
}

// delegatesMax bounds the delegated administrators.
const delegatesMax = 3

// delegates is what is kept of the organization, under its ID.
type delegates struct{ Accounts []string }

func (o *Organization) has(account string) bool {
	return account == o.Management || len(o.Members) == 0 && account != auth.NoAccount || slices.Contains(o.Members, account)
}

// delegates returns the delegated administrators.
func (s *API) delegates() ([]string, error) {
	d, err := find[delegates](s, engine.ObjectOrganization, s.cfg.Organization.ID)
	if err != nil || d == nil {
		return nil, err
	}
	return d.Accounts, nil
}

// orgAdmin reports whether the caller's account administers the organization.
func (c *call) orgAdmin() bool {
	o := c.s.cfg.Organization
	if o == nil {
		return false
	}
	if c.account == o.Management {
		return true
	}
	list, err := c.s.delegates()
	return err == nil && slices.Contains(list, c.account)
}

// mayOrganize says why the caller may not make things of the organization, or who owns them.
func (c *call) mayOrganize() (owner string, err error) {
	o := c.s.cfg.Organization
	switch {
	case o == nil:
		return "", fail("OrganizationsNotInUse", "this server knows of no organization: start it with organization-id and organization-management")
	case !c.orgAdmin():
		return "", fail("NotOrganizationMasterAccount", "account %s is neither the management account of organization %s nor a delegated administrator", c.account, o.ID)
	}
	return o.Management, nil
}

// managementOnly says why the caller may not do what only the management account may.
func (c *call) managementOnly(what string) error {
	o := c.s.cfg.Organization
	switch {
	case o == nil:
		return fail("OrganizationsNotInUse", "this server knows of no organization: start it with organization-id and organization-management")
	case c.account != o.Management:
		code := "NotOrganizationMasterAccount"
		if c.op.has("NotOrganizationManagementAccountException") {
			code = "NotOrganizationManagementAccount"
		}
		return fail(code, "%s is for the management account of organization %s, which %s is not", what, o.ID, c.account)
	}
	return nil
}

func (c *call) registerOrganizationDelegatedAdmin() (any, error) {
	if err := c.managementOnly("to register a delegated administrator"); err != nil {
		return nil, err
	}
	account, o := c.text("MemberAccountId"), c.s.cfg.Organization
	switch {
	case account == o.Management:
		return nil, fail("CannotDelegateManagementAccount", "account %s is the management account itself", account)
	case !auth.IsAccount(account) || !o.has(account):
		return nil, fail("AccountNotFound", "account %s is not a member of organization %s", account, o.ID)
	}
	list, err := c.s.delegates()
	switch {
	case err != nil:
		return nil, err
	case slices.Contains(list, account):
		return nil, fail("AccountRegistered", "account %s is a delegated administrator already", account)
	case len(list) >= delegatesMax:
		return nil, fail("DelegatedAdminAccountLimitExceeded", "organization %s has %d delegated administrators, the most that it may have", o.ID, len(list))
	}
	return nil, c.s.save(c.ctx, engine.ObjectOrganization, o.ID, delegates{append(list, account)})
}

func (c *call) deregisterOrganizationDelegatedAdmin() (any, error) {
	if err := c.managementOnly("to deregister a delegated administrator"); err != nil {
		return nil, err
	}
	account, o := c.text("DelegatedAdminAccountId"), c.s.cfg.Organization
	if !auth.IsAccount(account) || !o.has(account) {
		return nil, fail("AccountNotFound", "account %s is not a member of organization %s", account, o.ID)
	}
	list, err := c.s.delegates()
	if err != nil {
		return nil, err
	}
	i := slices.Index(list, account)
	if i < 0 {
		return nil, fail("AccountNotRegistered", "account %s is not a delegated administrator", account)
	}
	return nil, c.s.save(c.ctx, engine.ObjectOrganization, o.ID, delegates{slices.Delete(list, i, i+1)})
}
