// Package html writes report.html: a run as one page that needs no network and
// opens from disk. It is given what is known of a run and asks for its logs; it
// knows no executor and no run directory.
//
// All that a run says is hostile: a guest wrote it. It stands in the page as
// data that no browser runs, the page's own script puts it in place as text,
// and the page's policy allows no other script, style, image or request.
//
// The page is made of web/ by scripts/build-web; what that built is committed
// in built/ and embedded, so that building pikaci needs no Node.
package html
