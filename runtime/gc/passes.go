package gc

import (
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/result"
)

// keepPasses keeps directories of runs whose passes stand in for jobs of runs
// that stay: who asks why such a job passed is led there.
func keepPasses(dirs []*record.Dir, items []Item) {
	goes := map[string]*Item{}
	for i := range items {
		if items[i].Kind == RunDirectory && items[i].Remove {
			goes[items[i].Run] = &items[i]
		}
	}
	byID := map[string]*record.Dir{}
	var stay []*record.Dir
	for _, d := range dirs {
		byID[d.ID] = d
		if goes[d.ID] == nil {
			stay = append(stay, d)
		}
	}
	for len(stay) > 0 && len(goes) > 0 {
		d := stay[0]
		stay = stay[1:]
		for _, run := range result.PointsTo(d) {
			item := goes[run]
			if item == nil {
				continue
			}
			item.Remove, item.Why = false, "jobs of run "+d.ID+" are cached from it"
			delete(goes, run)
			stay = append(stay, byID[run])
		}
	}
}
