# The payloads of this repository's own lane, check-pikaci: its compiled test
# binaries and the tools they need. No inputs, so that it builds without a
# network; the toolchain and the modules are the host's, found through the
# links that scripts/go-links makes. That needs Nix's sandbox to be off.
{
  description = "Payloads of pikaci's own lane";

  outputs = { self }:
    let
      links = "/var/cache/pikaci";

      # Only these files decide what is built: an edit of another one costs nothing.
      source = name: keep: builtins.path {
        inherit name;
        path = ./.;
        filter = path: type: keep (builtins.substring (builtins.stringLength (toString ./.) + 1) (-1) path);
      };
      top = path: builtins.head (builtins.split "/" path);

      go = system: name: env: script: builtins.derivation ({
        inherit system name;
        builder = "/bin/sh";
        args = [ "-euc" script ];
        PATH = "${links}/go-root/bin:/usr/bin:/bin";
        GOMODCACHE = "${links}/go-mod";
        GOFLAGS = "-mod=readonly -trimpath -buildvcs=false";
        GOPROXY = "off";
        GOTOOLCHAIN = "local";
        GOTELEMETRY = "off";
        CGO_ENABLED = "0";
      } // env);

      manifest = kind: guest: mount: builtins.toFile "payload-manifest.json" (builtins.toJSON {
        schema_version = 1;
        inherit kind;
        entrypoints = [ ];
        asset_roots = [ ];
        mounts = [{ name = mount; relative_path = "."; guest_path = guest; read_only = true; }];
      });

      payloads = system: rec {
        # Go's build cache of everything that is not ours, made from go.mod
        # and go.sum only: made once, and again when a dependency changes.
        workspaceDeps = go system "pikaci-workspace-deps"
          {
            src = source "pikaci-modules" (path: path == "go.mod" || path == "go.sum");
            manifest = manifest "staged_linux_workspace_deps_v1" "/staged/linux-rust/workspace-deps" "workspace_deps_root";
          } ''
          export HOME=$TMPDIR GOCACHE=$out/go-build
          mkdir -p $out/share/pikaci
          cp $manifest $out/share/pikaci/payload-manifest.json
          cp -r $src/. module && cd module
          go build std cuelang.org/go/cue/... cuelang.org/go/encoding/jsonschema \
            github.com/lxc/incus/v6/client github.com/spf13/pflag \
            github.com/bmatcuk/doublestar/v4 github.com/oklog/ulid/v2 pgregory.net/rapid \
            github.com/rogpeppe/go-internal/testscript golang.org/x/sync/errgroup
          rm -rf $GOCACHE/fuzz $GOCACHE/*.txt
        '';

        # The test binaries, pikaci itself, and a command for each job.
        workspaceBuild = go system "pikaci-workspace-build"
          {
            src = source "pikaci-source" (path: builtins.elem (top path)
              [ "go.mod" "go.sum" "cue.mod" "schema" "compiler" "runtime" "lanes" "cmd" "internal" ]);
            deps = workspaceDeps;
            jobs = ./scripts/lane-jobs;
            manifest = manifest "staged_linux_workspace_build_v1" "/staged/linux-rust/workspace-build" "workspace_build_root";
          } ''
          export HOME=$TMPDIR GOCACHE=$TMPDIR/go-build
          cp -r $deps/go-build $GOCACHE && chmod -R u+w $GOCACHE
          mkdir -p $out/bin $out/share/pikaci
          cp $manifest $out/share/pikaci/payload-manifest.json
          cp -r $src/. module && chmod -R u+w module && cd module
          go build -ldflags='-s -w' -o $out/bin/pikaci ./cmd/pikaci
          go test -ldflags='-s -w' -c -o $out/bin/compiler.test ./compiler
          go test -ldflags='-s -w' -c -o $out/bin/plan.test ./schema/plan
          cp $jobs/* $out/bin/
        '';
      };
    in
    {
      ci.x86_64-linux = payloads "x86_64-linux";
      ci.aarch64-linux = payloads "aarch64-linux";
    };
}
