//! `cargo xtask package`: what people install, made from one binary: a tarball, a Debian package, an npm package, a Homebrew
//! formula, the notes of the release, and the sums of it all.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::exec;

mod brew;
mod deb;
mod elf;
mod notes;
mod npm;
mod tarball;
mod tree;

use tree::Tree;

/// Where the project lives, for formulas and manifests.
const HOME: &str = env!("CARGO_PKG_REPOSITORY");

/// The version that is packaged.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One line about it.
const SUMMARY: &str = "Spawn, message, wait on and answer coding-agent sessions";

/// What is packaged for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    /// The target in Rust's words.
    pub(crate) target: &'static str,
    /// The architecture in Debian's.
    pub(crate) debian: &'static str,
    /// The processor in node's.
    pub(crate) node: &'static str,
    /// The machine in ELF's numbers.
    pub(crate) machine: u16,
}

/// Every platform that a package can be made for.
pub(crate) const PLATFORMS: [Platform; 2] = [
    Platform { target: "x86_64-unknown-linux-gnu", debian: "amd64", node: "x64", machine: 62 },
    Platform { target: "aarch64-unknown-linux-gnu", debian: "arm64", node: "arm64", machine: 183 },
];

/// What packing costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As small as it gets: for those who download it.
    Small,
    /// As fast as it gets: for those who look whether it is right.
    Fast,
}

/// What the caller wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    platform: Platform,
    /// Package a debug binary, which is made in a moment, to look at packages.
    debug: bool,
    /// Package this binary instead of building one.
    binary: Option<PathBuf>,
}

impl Options {
    /// Reads `[--target t] [--debug] [--binary file]`.
    pub(crate) fn parse(args: &[&str]) -> Result<Self> {
        let mut options = Self { platform: PLATFORMS[0], debug: false, binary: None };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match *arg {
                "--debug" => options.debug = true,
                "--target" => options.platform = platform(args.next().context("`--target` wants a target")?)?,
                "--binary" => options.binary = Some(args.next().context("`--binary` wants a file")?.into()),
                other => bail!("`package` knows no `{other}`"),
            }
        }
        Ok(options)
    }
}

fn platform(target: &str) -> Result<Platform> {
    let known = || PLATFORMS.map(|platform| platform.target).join(", ");
    let found = PLATFORMS.into_iter().find(|platform| platform.target == target);
    found.with_context(|| format!("no packages for `{target}`; there are some for: {}", known()))
}

/// Builds and packages; says what was made.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = exec::root();
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => build(&root, options)?,
    };
    let out = exec::profile_dir("package")?;
    let effort = if options.debug { Effort::Fast } else { Effort::Small };
    for made in package(&root, &binary, options.platform, effort, &out)? {
        say!("{}", made.display());
    }
    Ok(())
}

fn build(root: &Path, options: &Options) -> Result<PathBuf> {
    let mut build = exec::cargo(root);
    build.args(["build", "--locked", "--package", "adjutant", "--target", options.platform.target]);
    let profile = if options.debug { "debug" } else { "release" };
    if !options.debug {
        build.arg("--release");
    }
    exec::run(&mut build)?;
    // `<target>/debug/xtask` lies beside `<target>/<triple>/<profile>/adj`, or, with a target named, one deeper.
    let own = exec::profile_dir(profile)?;
    let above = own.parent().context("a profile lies in a target directory")?;
    let places = [above.parent().unwrap_or(above), above].map(|dir| dir.join(options.platform.target).join(profile));
    let found = places.into_iter().map(|dir| dir.join("adj")).find(|file| file.is_file());
    found.with_context(|| format!("no adj of {} was built", options.platform.target))
}

/// Makes every package of one binary; gives the files.
pub(crate) fn package(
    root: &Path,
    binary: &Path,
    platform: Platform,
    effort: Effort,
    out: &Path,
) -> Result<Vec<PathBuf>> {
    elf::check(binary, platform)?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let tree = Tree::make(root, binary, platform)?;
    let tarball = tarball::make(&tree, platform, effort, out)?;
    let mut made = vec![deb::make(&tree, platform, effort, out)?, npm::make(&tree, platform, out)?];
    made.push(brew::make(&tarball, platform, out)?);
    made.push(notes::make(root, out)?);
    made.insert(0, tarball);
    made.push(sums(&made, out)?);
    Ok(made)
}

fn sums(files: &[PathBuf], out: &Path) -> Result<PathBuf> {
    let lines: Vec<String> =
        files.iter().map(|file| Ok(format!("{}  {}\n", sum(file)?, name(file)))).collect::<Result<_>>()?;
    let file = out.join("SHA256SUMS");
    std::fs::write(&file, lines.concat())?;
    Ok(file)
}

/// The SHA-256 of a file, in hexadecimal digits.
fn sum(file: &Path) -> Result<String> {
    let said = exec::output(exec::command("sha256sum").arg(file))?;
    let said = String::from_utf8_lossy(&said);
    said.split_whitespace().next().map(str::to_owned).context("sha256sum says nothing")
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The adj of the test command: packages are made of it as they are of a release.
    fn adj() -> PathBuf {
        std::env::var_os("ADJ_TEST_BIN").expect("ADJ_TEST_BIN names the adj under test; run `cargo xtask test`").into()
    }

    fn said(command: &mut std::process::Command) -> String {
        String::from_utf8(exec::output(command).unwrap()).unwrap()
    }

    /// Packages of the adj under test, without what only a debugger reads.
    fn made() -> (tempfile::TempDir, Vec<PathBuf>) {
        let out = tempfile::tempdir().unwrap();
        let binary = out.path().join("stripped");
        exec::output(exec::command("strip").arg("-o").arg(&binary).arg(adj())).unwrap();
        let files = package(&exec::root(), &binary, PLATFORMS[0], Effort::Fast, out.path()).unwrap();
        (out, files)
    }

    fn with_end<'a>(files: &'a [PathBuf], end: &str) -> &'a Path {
        files.iter().find(|file| name(file).ends_with(end)).unwrap_or_else(|| panic!("no {end} in {files:?}"))
    }

    fn version_of(program: &Path) -> String {
        said(exec::command(program).arg("--version"))
    }

    fn assert_tarball(files: &[PathBuf], out: &Path) {
        let unpacked = out.join("unpacked");
        std::fs::create_dir(&unpacked).unwrap();
        let tarball = with_end(files, ".tar.gz");
        exec::output(exec::command("tar").arg("-xzf").arg(tarball).arg("-C").arg(&unpacked)).unwrap();
        let inside = unpacked.join(format!("adjutant-{VERSION}-{}", PLATFORMS[0].target));
        assert_eq!(version_of(&inside.join("adj")), format!("adj {VERSION}\n"));
        for file in ["README.md", "LICENSE-MIT", "completions/adj.bash", "completions/_adj", "man/man1/adj-create.1"] {
            assert!(std::fs::metadata(inside.join(file)).unwrap().len() > 500, "{file}");
        }
    }

    fn assert_debian(files: &[PathBuf], out: &Path) {
        let deb = with_end(files, ".deb");
        let fields = said(exec::command("dpkg-deb").arg("--field").arg(deb));
        assert!(fields.contains("Package: adjutant\n") && fields.contains("Architecture: amd64\n"), "{fields}");
        let installed = out.join("installed");
        exec::output(exec::command("dpkg-deb").arg("--extract").arg(deb).arg(&installed)).unwrap();
        assert_eq!(version_of(&installed.join("usr/bin/adj")), format!("adj {VERSION}\n"));
        let share = installed.join("usr/share");
        for file in ["man/man1/adj.1.gz", "bash-completion/completions/adj", "doc/adjutant/copyright"] {
            assert!(share.join(file).is_file(), "{file}");
        }
    }

    fn assert_npm(files: &[PathBuf], out: &Path) {
        let prefix = out.join("prefix");
        let mut npm = exec::command("npm");
        npm.args(["install", "--offline", "--no-audit", "--no-fund", "--global", "--prefix"]).arg(&prefix);
        exec::output(npm.arg(with_end(files, ".tgz")).env("HOME", out)).unwrap();
        assert_eq!(version_of(&prefix.join("bin/adj")), format!("adj {VERSION}\n"));
    }

    fn assert_texts(files: &[PathBuf]) {
        let sum = sum(with_end(files, ".tar.gz")).unwrap();
        for file in ["adjutant.rb", "SHA256SUMS"] {
            assert!(std::fs::read_to_string(with_end(files, file)).unwrap().contains(&sum), "{file}");
        }
        let notes = std::fs::read_to_string(with_end(files, ".md")).unwrap();
        assert!(notes.contains("\n- ") && !notes.contains("# Changelog"), "{notes}");
    }

    #[test]
    fn packages_hold_what_they_should_and_run() {
        let (out, files) = made();
        assert_tarball(&files, out.path());
        assert_debian(&files, out.path());
        assert_npm(&files, out.path());
        assert_texts(&files);
    }

    #[test]
    fn options() {
        let options = Options::parse(&["--target", "aarch64-unknown-linux-gnu", "--debug"]).unwrap();
        assert_eq!((options.platform.debian, options.debug), ("arm64", true));
        assert!(Options::parse(&["--target", "vax"]).is_err() && Options::parse(&["--fast"]).is_err());
    }
}
