//! The Homebrew formula: it installs the tarballs.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{HOME, Platform, SUMMARY, VERSION, name, sum};
use crate::exec;

/// Writes it for these tarballs. Where there is a ruby, it has to be able to read the formula.
pub(super) fn make(tarballs: &[(Platform, PathBuf)], out: &Path) -> Result<PathBuf> {
    let file = out.join("adjutant.rb");
    let parts: Vec<String> =
        tarballs.iter().map(|(platform, tarball)| part(*platform, tarball)).collect::<Result<_>>()?;
    std::fs::write(&file, formula(&parts.concat()))?;
    if exec::succeeds(exec::command("ruby").arg("--version")) {
        exec::output(exec::command("ruby").args(["-wc"]).arg(&file))?;
    }
    Ok(file)
}

fn part(platform: Platform, tarball: &Path) -> Result<String> {
    let cpu = if platform.uname == "aarch64" { "arm" } else { "intel" };
    let (tarball, sum) = (name(tarball), sum(tarball)?);
    let url = format!("{HOME}/releases/download/v{VERSION}/{tarball}");
    Ok(format!("    on_{cpu} do\n      url \"{url}\"\n      sha256 \"{sum}\"\n    end\n"))
}

fn formula(parts: &str) -> String {
    format!(
        r##"class Adjutant < Formula
  desc "{SUMMARY}"
  homepage "{HOME}"
  version "{VERSION}"
  license any_of: ["MIT", "Apache-2.0"]

  on_linux do
{parts}  end

  def install
    bin.install "adj"
    man1.install Dir["man/man1/*.1"]
    bash_completion.install "completions/adj.bash" => "adj"
    zsh_completion.install "completions/_adj"
    fish_completion.install "completions/adj.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/adj --version")
  end
end
"##
    )
}
