// Package schema embeds the CUE schemas of lane files and plans. It knows
// nothing of how they are used.
package schema
