package routing

import "errors"

// Remove deletes routes of somebody who is not there any more to do it. Those
// that are gone already are no error.
func Remove(routes []Entry) error {
	k, err := openKernel()
	if err != nil {
		return err
	}
	defer k.close()
	_, links, err := k.state()
	if err != nil {
		return err
	}
	var all error
	for _, e := range routes {
		if err := k.do(links, Op{Delete, e}); err != nil && !gone(err) {
			all = errors.Join(all, err)
		}
	}
	return all
}
