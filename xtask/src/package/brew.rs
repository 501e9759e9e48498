//! The Homebrew formula: it installs the tarball.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{HOME, Platform, SUMMARY, VERSION, name, sum};

pub(super) fn make(tarball: &Path, platform: Platform, out: &Path) -> Result<PathBuf> {
    let file = out.join("adjutant.rb");
    std::fs::write(&file, formula(&name(tarball), &sum(tarball)?, platform))?;
    Ok(file)
}

fn formula(tarball: &str, sum: &str, platform: Platform) -> String {
    let cpu = if platform.node == "arm64" { "arm" } else { "intel" };
    format!(
        r##"class Adjutant < Formula
  desc "{SUMMARY}"
  homepage "{HOME}"
  version "{VERSION}"
  license any_of: ["MIT", "Apache-2.0"]

  on_linux do
    on_{cpu} do
      url "{HOME}/releases/download/v{VERSION}/{tarball}"
      sha256 "{sum}"
    end
  end

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
