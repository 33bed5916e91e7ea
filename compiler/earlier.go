package compiler

// LoadEarlier is Load for lane files of an earlier commit, laid down in a folder
// of their own. A schema that lies beside them is of their time; it is passed
// over rather than held against the embedded one, so that lanes can be compared
// across a change of the schema.
func LoadEarlier(dir string) (*Catalogue, error) {
	s, files, err := findSource(dir)
	if err != nil {
		return nil, err
	}
	for _, at := range s.schemaDirs {
		s.tree.layOver(at, nil)
	}
	s.tree.layOver(s.schemaDirs[0], files)
	c := new(Catalogue)
	if err := DefaultBudget().run(laneFiles(dir), func() error { return c.fill(s) }, s.pieceByPiece); err != nil {
		return nil, err
	}
	return c, nil
}
