//! `cargo xtask package`: what people install: for each platform a tarball, a Debian package and an npm package; for all of
//! them the npm package that people name, a Homebrew formula, the notes of the release, and the sums of it all.

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
    /// The processor in `uname`'s words.
    pub(crate) uname: &'static str,
    /// The machine in ELF's numbers.
    pub(crate) machine: u16,
    /// What links for it on another machine.
    linker: &'static str,
}

/// Every platform that a package can be made for.
pub(crate) const PLATFORMS: [Platform; 2] = [
    Platform {
        target: "x86_64-unknown-linux-gnu",
        debian: "amd64",
        node: "x64",
        uname: "x86_64",
        machine: 62,
        linker: "x86_64-linux-gnu-gcc",
    },
    Platform {
        target: "aarch64-unknown-linux-gnu",
        debian: "arm64",
        node: "arm64",
        uname: "aarch64",
        machine: 183,
        linker: "aarch64-linux-gnu-gcc",
    },
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// What for; each with the binary that is packaged, where none is to be built.
    platforms: Vec<(Platform, Option<PathBuf>)>,
    /// Package a debug binary, which is made in a moment, to look at packages.
    debug: bool,
}

impl Options {
    /// Reads `[--debug] [--target t [--binary file]]...`.
    pub(crate) fn parse(args: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match *arg {
                "--debug" => options.debug = true,
                "--target" => {
                    let platform = platform(args.next().context("`--target` wants a target")?)?;
                    options.platforms.push((platform, None));
                }
                "--binary" => {
                    let file = args.next().context("`--binary` wants a file")?;
                    let last =
                        options.platforms.last_mut().context("`--binary` follows the `--target` that it is for")?;
                    last.1 = Some(file.into());
                }
                other => bail!("`package` knows no `{other}`"),
            }
        }
        if options.platforms.is_empty() {
            options.platforms.push((own()?, None));
        }
        Ok(options)
    }
}

/// The platform of this machine.
fn own() -> Result<Platform> {
    let own = PLATFORMS.into_iter().find(|platform| platform.uname == std::env::consts::ARCH);
    own.context("there are no packages for this machine; `--target` names one that there are some for")
}

fn platform(target: &str) -> Result<Platform> {
    let known = || PLATFORMS.map(|platform| platform.target).join(", ");
    let found = PLATFORMS.into_iter().find(|platform| platform.target == target);
    found.with_context(|| format!("no packages for `{target}`; there are some for: {}", known()))
}

/// Builds and packages; says what was made.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = exec::root();
    let mut binaries = Vec::new();
    for (platform, binary) in &options.platforms {
        let binary = match binary {
            Some(binary) => binary.clone(),
            None => build(&root, *platform, options.debug)?,
        };
        binaries.push((*platform, binary));
    }
    let out = exec::profile_dir("package")?;
    let effort = if options.debug { Effort::Fast } else { Effort::Small };
    for made in package(&root, &binaries, effort, &out)? {
        say!("{}", made.display());
    }
    Ok(())
}

fn build(root: &Path, platform: Platform, debug: bool) -> Result<PathBuf> {
    let mut build = exec::cargo(root);
    build.args(["build", "--locked", "--package", "adjutant", "--target", platform.target]);
    let profile = if debug { "debug" } else { "release" };
    if !debug {
        build.arg("--release");
    }
    let linker = format!("CARGO_TARGET_{}_LINKER", platform.target.to_uppercase().replace('-', "_"));
    if platform.uname != std::env::consts::ARCH && std::env::var_os(&linker).is_none() {
        build.env(linker, platform.linker);
    }
    exec::run(&mut build)?;
    // `<target>/debug/xtask` lies beside `<target>/<triple>/<profile>/adj`, or, with a target named, one deeper.
    let own = exec::profile_dir(profile)?;
    let above = own.parent().context("a profile lies in a target directory")?;
    let places = [above.parent().unwrap_or(above), above].map(|dir| dir.join(platform.target).join(profile));
    let found = places.into_iter().map(|dir| dir.join("adj")).find(|file| file.is_file());
    found.with_context(|| format!("no adj of {} was built", platform.target))
}

/// Makes every package of these binaries; gives the files.
pub(crate) fn package(
    root: &Path,
    binaries: &[(Platform, PathBuf)],
    effort: Effort,
    out: &Path,
) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let own = binaries.iter().find(|(platform, _)| platform.uname == std::env::consts::ARCH);
    let printer = own.map_or_else(tree::host_adj, |(_, binary)| Ok(binary.clone()))?;
    let (mut tarballs, mut made) = (Vec::new(), Vec::new());
    for (platform, binary) in binaries {
        elf::check(binary, *platform)?;
        let tree = Tree::make(root, binary, &printer)?;
        let tarball = tarball::make(&tree, *platform, effort, out)?;
        made.extend([tarball.clone(), deb::make(&tree, *platform, effort, out)?, npm::make(&tree, *platform, out)?]);
        tarballs.push((*platform, tarball));
    }
    made.extend([npm::umbrella(root, out)?, brew::make(&tarballs, out)?, notes::make(root, out)?]);
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

    /// Packages of the adj under test, without what only a debugger reads, and of the head of a binary of another machine.
    fn made() -> (tempfile::TempDir, Vec<PathBuf>) {
        let out = tempfile::tempdir().unwrap();
        let (binary, foreign) = (out.path().join("stripped"), out.path().join("foreign"));
        exec::output(exec::command("strip").arg("-o").arg(&binary).arg(adj())).unwrap();
        let other = PLATFORMS.into_iter().find(|platform| *platform != own().unwrap()).unwrap();
        std::fs::write(&foreign, elf::tests::of(other.machine, elf::tests::LOADED)).unwrap();
        let binaries = [(own().unwrap(), binary), (other, foreign)];
        let files = package(&exec::root(), &binaries, Effort::Fast, out.path()).unwrap();
        (out, files)
    }

    /// The files of one platform.
    fn of(files: &[PathBuf], word: &str) -> Vec<PathBuf> {
        files.iter().filter(|file| name(file).contains(word)).cloned().collect()
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
        let target = own().unwrap().target;
        let files = of(files, target);
        let tarball = with_end(&files, ".tar.gz");
        exec::output(exec::command("tar").arg("-xzf").arg(tarball).arg("-C").arg(&unpacked)).unwrap();
        let inside = unpacked.join(format!("adjutant-{VERSION}-{target}"));
        assert_eq!(version_of(&inside.join("adj")), format!("adj {VERSION}\n"));
        for file in ["README.md", "LICENSE-MIT", "completions/adj.bash", "completions/_adj", "man/man1/adj-create.1"] {
            assert!(std::fs::metadata(inside.join(file)).unwrap().len() > 500, "{file}");
        }
    }

    fn assert_debian(files: &[PathBuf], out: &Path) {
        for platform in PLATFORMS {
            let files = of(files, &format!("_{}.deb", platform.debian));
            let fields = said(exec::command("dpkg-deb").arg("--field").arg(&files[0]));
            let architecture = format!("Architecture: {}\n", platform.debian);
            assert!(fields.contains("Package: adjutant\n") && fields.contains(&architecture), "{fields}");
        }
        let installed = out.join("installed");
        let files = of(files, &format!("_{}.deb", own().unwrap().debian));
        exec::output(exec::command("dpkg-deb").arg("--extract").arg(&files[0]).arg(&installed)).unwrap();
        assert_eq!(version_of(&installed.join("usr/bin/adj")), format!("adj {VERSION}\n"));
        let share = installed.join("usr/share");
        for file in ["man/man1/adj.1.gz", "bash-completion/completions/adj", "doc/adjutant/copyright"] {
            assert!(share.join(file).is_file(), "{file}");
        }
    }

    /// Installs packages of npm for everybody below `prefix`, with nothing of the network.
    fn install(packages: &[PathBuf], prefix: &Path) {
        let mut npm = exec::command("npm");
        npm.args(["install", "--offline", "--no-audit", "--no-fund", "--global", "--prefix"]).arg(prefix);
        exec::output(npm.args(packages).env("HOME", prefix)).unwrap();
    }

    fn assert_npm(files: &[PathBuf], out: &Path) {
        let node = own().unwrap().node;
        let (named, binary) = (of(files, &format!("adjutant-{VERSION}.tgz")), of(files, &format!("linux-{node}-")));
        let (with, without) = (out.join("prefix"), out.join("bare"));
        install(&[named.clone(), binary].concat(), &with);
        let adj = with.join("bin/adj");
        assert_eq!(version_of(&adj), format!("adj {VERSION}\n"));
        let told = exec::command(&adj).args(["create", "--no such option", "two  words"]).output().unwrap();
        assert_eq!(told.status.code(), Some(2), "words and codes go through: {told:?}");
        install(&named, &without);
        let told = exec::command(without.join("bin/adj")).output().unwrap();
        let words = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(told.status.code() == Some(1) && words.contains("is not installed"), "{told:?}");
    }

    fn assert_texts(files: &[PathBuf]) {
        for platform in PLATFORMS {
            let sum = sum(with_end(&of(files, platform.target), ".tar.gz")).unwrap();
            for file in ["adjutant.rb", "SHA256SUMS"] {
                assert!(std::fs::read_to_string(with_end(files, file)).unwrap().contains(&sum), "{file}");
            }
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
        let words = ["--target", "aarch64-unknown-linux-gnu", "--binary", "adj", "--debug"];
        let options = Options::parse(&words).unwrap();
        let (platform, binary) = &options.platforms[0];
        assert_eq!((platform.debian, binary.as_deref(), options.debug), ("arm64", Some(Path::new("adj")), true));
        assert_eq!(Options::parse(&[]).unwrap().platforms.len(), 1);
        for bad in [&["--target", "vax"][..], &["--fast"], &["--binary", "adj"], &["--target"]] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }
}
