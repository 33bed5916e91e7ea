package main

import (
	"strings"

	"github.com/sledtools/pikaci/compiler"
)

// What of SARIF 2.1.0 is written. Its names are the standard's.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID           string            `json:"ruleId"`
		RuleIndex        int               `json:"ruleIndex"`
		Level            string            `json:"level"`
		Message          sarifText         `json:"message"`
		Locations        []sarifLocation   `json:"locations,omitempty"`
		RelatedLocations []sarifLocation   `json:"relatedLocations,omitempty"`
		Fingerprints     map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		ID       *int           `json:"id,omitempty"`
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int        `json:"startLine"`
		StartColumn int        `json:"startColumn,omitempty"`
		EndColumn   int        `json:"endColumn,omitempty"`
		Snippet     *sarifText `json:"snippet,omitempty"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
)

// sarifErrors holds all diagnostics as one SARIF log.
func sarifErrors(found compiler.Diagnostics) []byte {
	rules := []sarifRule{
		{"mistake", sarifText{"Lane files that are not valid: there is no plan."}},
		{"warning", sarifText{"Lane files that are valid and say something odd."}},
	}
	run := sarifRun{
		Tool: sarifTool{sarifDriver{"pikaci", ownVersion(), "https://github.com/sledtools/pikaci", rules}},
		// A column of a diagnostic counts bytes, one of SARIF can't.
		ColumnKind: "utf16CodeUnits",
		Results:    []sarifResult{},
	}
	for _, d := range found {
		run.Results = append(run.Results, sarifOf(d))
	}
	return document(sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
}

func sarifOf(d compiler.Diagnostic) sarifResult {
	r := sarifResult{RuleID: "mistake", Level: string(severity(d)), Message: sarifMessage(d.Message),
		Fingerprints: map[string]string{"pikaci/v1": fingerprint(d)}}
	if d.Severity == compiler.Warning {
		r.RuleID, r.RuleIndex = "warning", 1
	}
	if d.Hint != "" {
		r.Message = sarifMessage(d.Message + "\nhint: " + d.Hint)
	}
	if d.Position.File != "" {
		at := sarifLocation{Physical: sarifAt(d.Position)}
		if region := at.Physical.Region; region != nil && region.StartColumn > 0 && d.Source != "" {
			end := d.Position.Column + wordLength(d.Source, d.Position.Column-1)
			region.StartColumn = utf16Column(d.Source, d.Position.Column)
			region.EndColumn = utf16Column(d.Source, end)
			region.Snippet = &sarifText{d.Source}
		}
		if d.Path != "" {
			at.Logical = []sarifLogical{{d.Path}}
		}
		r.Locations = append(r.Locations, at)
	}
	for i, other := range d.Others {
		r.RelatedLocations = append(r.RelatedLocations, sarifLocation{ID: &i, Physical: sarifAt(other)})
	}
	return r
}

// sarifMessage is a text of our own words: in those, single braces stand for
// arguments.
func sarifMessage(text string) sarifText {
	return sarifText{strings.NewReplacer("{", "{{", "}", "}}").Replace(text)}
}

func sarifAt(p compiler.Position) sarifPhysical {
	at := sarifPhysical{Artifact: sarifArtifact{fileURI(p.File)}}
	if p.Line > 0 {
		at.Region = &sarifRegion{StartLine: p.Line, StartColumn: p.Column}
	}
	return at
}
