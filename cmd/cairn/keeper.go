package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/cairndb/cairn/engine/crypt/keeper"
)

// keeperEnv names the keeper when no flag does, so that scripts and services need
// not repeat it.
const keeperEnv = "CAIRN_KEEPER"

// keeper opens the keeper that --keeper or the environment names; nil when neither
// does. making asks for a new passphrase twice.
func (p *program) keeper(making bool) (keeper.Keeper, error) {
	url := p.keeperURL
	if url == "" {
		url = os.Getenv(keeperEnv)
	}
	if url == "" {
		return nil, nil
	}
	return p.openKeeper(url, making)
}

func (p *program) openKeeper(url string, making bool) (keeper.Keeper, error) {
	k, err := keeper.Open(url, p.askPassphrase(making))
	if errors.Is(err, keeper.ErrUnknown) {
		k, err = openCloudKeeper(url)
	}
	if err != nil {
		return nil, usagef("opening keeper: %w", err)
	}
	return k, nil
}

// askPassphrase returns a prompt on the terminal, nil when there is none.
func (p *program) askPassphrase(making bool) func() ([]byte, error) {
	in, ok := p.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	ask := func(text string) ([]byte, error) {
		fmt.Fprint(p.err, text)
		b, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(p.err)
		if errors.Is(err, io.EOF) {
			err = errors.New("nothing was typed")
		}
		return b, err
	}
	return func() ([]byte, error) {
		b, err := ask("passphrase: ")
		if err != nil || !making {
			return b, err
		}
		again, err := ask("once more, it cannot be recovered: ")
		if err == nil && !bytes.Equal(b, again) {
			err = errors.New("the two differ")
		}
		return b, err
	}
}
