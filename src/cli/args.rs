//! The words and flags of the command line (clap). Help texts are for a person in a hurry: what it does, one example,
//! what can go wrong.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser as _;
use clap::{Args, Parser, Subcommand};

/// The supervisor of a redundant controller: who is in charge, does the other live, could both act at once.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit statuses: 0 done, 1 refused or failed, 2 wrong usage, 3 no controller answers.\n\
    `status` has those of monitoring plugins: 0 fine, 1 degraded, 2 critical, 3 no answer or wrong usage.\n\n\
    First minute: tandem demo")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", env = "TANDEM_CONFIG", help_heading = "Which controller")]
    #[arg(value_parser = clap::builder::OsStringValueParser::new().map(PathBuf::from))]
    pub config: Option<PathBuf>,
    /// Which member this is; default: the one that has an address of this machine
    #[arg(long = "as", global = true, value_name = "NAME", env = "TANDEM_MEMBER", help_heading = "Which controller")]
    pub member: Option<String>,
    /// The control socket of a running controller; when one runs on this machine, none is needed
    #[arg(long, global = true, value_name = "PATH", help_heading = "Which controller")]
    pub socket: Option<PathBuf>,
}

impl Global {
    /// An empty value is none: scripts unset a variable by setting it to nothing.
    pub fn normalised(mut self) -> Global {
        self.config = self.config.filter(|path| !path.as_os_str().is_empty());
        self.member = self.member.filter(|name| !name.is_empty());
        self
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Starts the controller, with the screen unless --headless
    #[command(after_help = "Example: tandem run --headless --config /etc/tandem/tandem.toml\n\
        Goes wrong: the state directory is locked by another instance; no key file (make one: tandem keygen FILE).")]
    Run(RunArgs),
    /// Opens the screen on a running controller; several at once
    #[command(after_help = "Example: tandem attach --read-only\nGoes wrong: no controller runs here (exit 3).")]
    Attach(AttachArgs),
    /// One screenful: mode, term, why, peer, link, protection, last events
    #[command(after_help = "Example: tandem status --json | jq .mode\n\
        Exit: 0 fine, 1 degraded, 2 critical, 3 no answer or wrong usage.")]
    Status(StatusArgs),
    /// This member becomes Primary, the other steps down first
    #[command(after_help = "Example: tandem failover\n\
        Shows the plan and asks for its number. Without a terminal it needs --yes. Waits for the outcome.\n\
        Goes wrong: a line of the plan fails; then nothing is done, unless it is forced, and the plan says what that\n\
        risks and what makes it safe (exit 1).")]
    Failover(ActArgs),
    /// This member becomes Secondary, the other takes over
    #[command(after_help = "Example: tandem step-down --yes\n\
        Goes wrong: nobody can take over; then it must be forced, and nobody acts.")]
    StepDown(ActArgs),
    /// Freezes the group's automatic takeovers, for maintenance
    #[command(after_help = "Example: tandem hold --for 1h\nEnds by itself; `tandem resume` ends it sooner.\n\
        Goes wrong: a member that is not heard cannot be told, and may still take over by itself; it is named.")]
    Hold(HoldArgs),
    /// Lets automatic takeovers go again
    #[command(after_help = "Example: tandem resume\n\
        Ends also that a member takes nothing over after an operator made it step down.\n\
        Goes wrong: the group is not held (exit 1).")]
    Resume(ResumeArgs),
    /// Stops this controller: hands over, then ends
    #[command(after_help = "Example: tandem shutdown --yes\nHands over also while the group is held.\n\
        Goes wrong: nobody can take over; then it must be forced, and nobody acts. A service manager may start it again:\n\
        to keep it stopped, systemctl stop tandem.")]
    Shutdown(ActArgs),
    /// Switches another member off (STONITH), or says that it is off
    #[command(after_help = "Example: tandem fence beta --dry-run\n\
        --dry-run asks the fence device for the power and shows what would be sent; it works without a controller too.\n\
        --is-off is your word that it is off, you looked: it counts as fencing done.\n\
        Goes wrong: no [fence.PEER] in the configuration; the device does not answer (exit 1).")]
    Fence(FenceArgs),
    /// Stops a required process and starts it again
    #[command(after_help = "Example: tandem restart plant-control\n\
        Goes wrong: it does not run in this mode; it does not get ready again (exit 1).")]
    Restart(ProcessArgs),
    /// Stops a required process until it is started again
    #[command(after_help = "Example: tandem stop plant-control\n\
        Goes wrong: the health of this member may fall by it; then another member may take over.")]
    Stop(ProcessArgs),
    /// Starts a required process that was stopped or given up
    #[command(after_help = "Example: tandem start plant-control\n\
        Goes wrong: it runs already; it does not get ready (exit 1).")]
    Start(ProcessArgs),
    /// Pings across the C2C link, both ways
    #[command(after_help = "Example: tandem ping -c 10\nGoes wrong: the link is down (loss 100 %, exit 1).")]
    Ping(PingArgs),
    /// The journal, a line an event
    #[command(after_help = "Example: tandem events --since 1h --kind alarm --follow\n\
        Oldest first. Times are this machine's.\n\
        Goes wrong: what is older than journal.keep holds is gone.")]
    Events(EventsArgs),
    /// Why the mode is what it is, or was
    #[command(after_help = "Example: tandem explain --at 03:12\n\
        Prints the rule that fired, the evidence, and what would have changed it.\n\
        Goes wrong: nothing was decided before that time, or the journal no longer has it (exit 1).")]
    Explain(ExplainArgs),
    /// Steps through a recorded incident on the screen, forwards and backwards
    #[command(after_help = "Example: tandem replay /var/lib/tandem\n\
        Every decision is taken again and compared: exit 1 when one differs, or a part is damaged or missing.\n\
        Goes wrong: the time you look for is older than journal.keep holds.")]
    Replay(ReplayArgs),
    /// The configuration against simulated faults: who acts when, and could two act at once
    #[command(after_help = "Example: tandem rehearse --scenario link-cut --scenario primary-power\n\
        Simulated: no controller, device or arbiter is asked. tandem rehearse --scenario list names all scenarios.\n\
        Exit 1 when two could act at once, or when Ctrl-C ended it early. What no protection of its kind prevents (fence-lies, primary-suspended,\n\
        primary-paused) counts for that only when it is named.")]
    Rehearse(RehearseArgs),
    /// A support bundle: configuration, status, journal, system; secrets removed
    #[command(after_help = "Example: tandem report -o beta.tar.gz\n\
        Works without a running controller too. Look through it before you hand it on.\n\
        Goes wrong: the file is there already; what cannot be read is named in the bundle.")]
    Report(ReportArgs),
    /// Says what is wrong with a configuration, then what is unwise
    #[command(after_help = "Example: tandem check --strict /etc/tandem/tandem.toml\n\
        Exit 1 when something is wrong; with --strict also when something is unwise.")]
    Check(CheckArgs),
    /// Applies a changed configuration
    #[command(after_help = "Example: tandem reload\n\
        What can change without an outage is applied; the rest is named, and needs a restart.\n\
        Goes wrong: the file is faulty; then nothing changes (exit 1). Try it first: tandem check FILE")]
    Reload,
    /// Makes a new group key, mode 0600; never overwrites
    #[command(after_help = "Example: tandem keygen /etc/tandem/group.key\nCopy it to every member, by a safe way.\n\
        Goes wrong: the file is there already: a second key would part the members (exit 1).")]
    Keygen(KeygenArgs),
    /// Random faults against the simulated rules, for as long as asked
    #[command(after_help = "Example: tandem soak --seconds 60\n\
        Needs no configuration and no controller; takes all cores. Ctrl-C ends it early, with the same summary.\n\
        Exit 1 when something was found: it prints the seed, and how to run that one again.")]
    Soak(SoakArgs),
    /// A whole group on this machine, to play with
    #[command(after_help = "Example: tandem demo --protection fence,arbiter\n\
        Needs no configuration, and leaves nothing behind. f breaks something, q ends it.\n\
        Goes wrong: it needs a terminal.")]
    Demo(DemoArgs),
    /// Shell completions, on standard output
    #[command(after_help = "Example: tandem completions bash > /usr/share/bash-completion/completions/tandem\n\
        Goes wrong: a shell that it does not know (exit 2).")]
    Completions(CompletionsArgs),
    /// Man pages, into a directory, or the main one on standard output
    #[command(after_help = "Example: tandem man /usr/share/man/man1\n\
        Goes wrong: the directory cannot be written (exit 1).")]
    Man(ManArgs),
    /// Holds the required processes; started by the controller
    #[command(hide = true)]
    Guardian,
    /// Becomes a required process; started by the guardian
    #[command(hide = true)]
    Launch,
    /// A process to supervise, for tests and for trying things by hand
    #[command(hide = true)]
    SampleProcess(super::sample_process::SampleProcessArgs),
    /// Becomes a fence agent; started by the controller
    #[command(hide = true, name = crate::fence::trampoline::WORD)]
    FenceAgent(FenceAgentArgs),
}

#[derive(Debug, Args)]
pub struct FenceAgentArgs {
    /// The controller's process
    pub parent: i32,
    /// The agent and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub words: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// No screen: logs to standard error, one line an event
    #[arg(long)]
    pub headless: bool,
}

#[derive(Debug, Args)]
pub struct AttachArgs {
    /// Watch only: nothing can be acted on from this screen
    #[arg(long)]
    pub read_only: bool,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// One JSON document (assets/status.schema.json)
    #[arg(long)]
    pub json: bool,
    /// Again on every change, until interrupted
    #[arg(long)]
    pub watch: bool,
}

/// For the commands that change who acts.
#[derive(Debug, Clone, Args)]
pub struct ActArgs {
    /// Do it without asking; refused when a line of the plan fails
    #[arg(long)]
    pub yes: bool,
    /// Go on although a line of the plan fails; on a terminal asks for a name, else needs --yes too
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct FenceArgs {
    /// Which member
    #[arg(value_name = "PEER")]
    pub peer: String,
    /// Switch nothing: ask the device for the power, and show what would be sent
    #[arg(long, conflicts_with_all = ["is_off", "yes", "force"])]
    pub dry_run: bool,
    /// It is off, I looked: counts as fencing done, with your name in the journal
    #[arg(long)]
    pub is_off: bool,
    #[command(flatten)]
    pub act: ActArgs,
}

#[derive(Debug, Args)]
pub struct ProcessArgs {
    /// Its name in the configuration
    pub process: String,
    #[command(flatten)]
    pub act: ConfirmArgs,
}

#[derive(Debug, Args)]
pub struct HoldArgs {
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "30m", value_parser = parse_duration)]
    pub lasts: Duration,
    #[command(flatten)]
    pub act: ConfirmArgs,
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    #[command(flatten)]
    pub act: ConfirmArgs,
}

/// For the commands that change nothing about who acts now.
#[derive(Debug, Clone, Args)]
pub struct ConfirmArgs {
    /// Accepted for scripts; these never ask
    #[arg(long, hide = true)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct PingArgs {
    /// To whom; default: the only peer, else all of them in turn
    pub peer: Option<String>,
    /// How many
    #[arg(short = 'c', value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// Seconds between two
    #[arg(short = 'i', value_name = "SECONDS", default_value = "1", value_parser = parse_seconds)]
    pub interval: Duration,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Go on as they happen
    #[arg(long)]
    pub follow: bool,
    /// Only since then: 30m (ago), 03:12, 2026-11-17, or 2026-11-17T03:12:44
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Only these: alarm, warning, note, decision, action, or the event's own word
    #[arg(long, value_name = "K")]
    pub kind: Option<String>,
    /// One JSON document; with --follow one a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The mode at that time: 30m (ago), 03:12, 2026-11-17, or 2026-11-17T03:12:44
    #[arg(long, value_name = "T", conflicts_with = "change")]
    pub at: Option<String>,
    /// The Nth latest change of mode: 1 is the last
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub change: Option<u32>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// A state directory, its journal directory, a file that ends in .tandem-inputs, or a support bundle
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// Only this scenario, told in full; several may be named; "list" names them all
    #[arg(long, value_name = "NAME")]
    pub scenario: Vec<String>,
    /// One JSON document (assets/rehearse.schema.json)
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The file to make; never overwritten. Default: tandem-report-TIME.tar.gz in the current directory
    #[arg(short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file; default: --config, $TANDEM_CONFIG, /etc/tandem/tandem.toml
    pub file: Option<PathBuf>,
    /// What is unwise fails too
    #[arg(long)]
    pub strict: bool,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// The file to make
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How many members
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=5))]
    pub members: u8,
    /// takeover.protection, comma separated: fence, arbiter, majority (of three and more), reachability
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub protection: Vec<String>,
}

#[derive(Debug, Args)]
pub struct SoakArgs {
    /// For how long
    #[arg(long, value_name = "N", required_unless_present = "seed")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub seconds: Option<u64>,
    /// The first seed; without --seconds the only one
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// Where to; default: the main page on standard output
    pub directory: Option<PathBuf>,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    crate::config::duration::parse(text).map_err(|error| error.to_string())
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) => Err("between 0.001 and 86400".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn u7_every_help_has_an_example_and_says_what_can_go_wrong() {
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example: tandem "), "{}: {help}", command.get_name());
            assert!(help.contains("Goes wrong: ") || help.contains("Exit"), "{}: {help}", command.get_name());
        }
    }
}
