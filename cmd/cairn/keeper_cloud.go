package main

import (
	"fmt"

	"github.com/cairndb/cairn/engine/crypt"
)

func openCloudKeeper(url string) (crypt.Keeper, error) {
	return nil, fmt.Errorf("%w: %s", crypt.ErrKeeper, url)
}
