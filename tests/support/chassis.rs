//! A chassis with a network controller that speaks IPMI: OpenIPMI's simulator on a loopback port. Its power switch is a
//! script that really kills the processes that are said to be inside, and waits until they are gone, so "off" means what it
//! says.

use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Folder, Running, addresses, temporary_folder, wait_until, write};

/// What opens it.
pub const PASSWORD: &str = "c0rrect-h0rse-71";

/// See the module.
pub struct Chassis {
    folder: Folder,
    address: SocketAddr,
    simulator: Option<Running>,
}

impl Chassis {
    /// One that is on, and empty.
    pub fn start() -> Chassis {
        let folder = temporary_folder();
        // The simulator cannot be told to choose a port; on an address of its own it needs no luck to have one.
        let address = addresses(1)[0];
        let (ip, port) = (address.ip(), address.port());
        let at = folder.path().display().to_string();
        std::fs::create_dir(folder.path().join("state")).expect("made");
        write(folder.path(), "power", "power:1\n");
        write(folder.path(), "inside", "");
        let script = format!(
            "#!/bin/sh\ncase \"$1 $2\" in\n'get power') cat {at}/power ;;\n'get boot') echo boot:default ;;\n\
             'set power')\n  if [ \"$3\" = 0 ]; then for pid in $(cat {at}/inside); do kill -KILL $pid; done\n  \
             for pid in $(cat {at}/inside); do\n    \
             while grep -q '^State:.[^ZX]' /proc/$pid/status; do sleep 0.01; done\n  done 2>/dev/null; fi\n  \
             echo power:$3 >{at}/power ;;\nesac\nexit 0\n"
        );
        let script = write(folder.path(), "chassis", &script);
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("set");
        let mut config =
            format!("name \"chassis\"\nset_working_mc 0x20\nstartlan 1\n  addr {ip} {port}\n  priv_limit admin\n");
        for level in ["callback", "user", "operator", "admin"] {
            writeln!(config, "  allowed_auths_{level} none md2 md5 straight").expect("a string grows");
        }
        write!(config, "  guid a123456789abcdefa123456789abcdef\nendlan\nchassis_control \"{at}/chassis\"\n")
            .expect("grows");
        writeln!(config, "user 1 false \"\" \"\" user 10 none md2 md5 straight").expect("grows");
        writeln!(config, "user 2 true \"admin\" \"{PASSWORD}\" admin 10 none md2 md5 straight").expect("grows");
        write(folder.path(), "lan.conf", &config);
        let controller = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n\
                          sel_enable 0x20 1000 0x0a\nmc_enable 0x20\n";
        write(folder.path(), "controller.emu", controller);
        let mut chassis = Chassis { folder, address, simulator: None };
        chassis.connect();
        chassis
    }

    fn connect(&mut self) {
        let mut command = Command::new("ipmi_sim");
        command.current_dir(self.folder.path()).args(["-n", "-c", "lan.conf", "-f", "controller.emu", "-s", "state"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.simulator = Some(Running::start(command));
        wait_until(Duration::from_secs(60), "the chassis answers", || self.answers());
    }

    /// Whether its controller answers a question that needs no password.
    fn answers(&self) -> bool {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
        // Get Channel Authentication Capabilities, IPMI 1.5: RMCP header, no session, then the message.
        let ask = [6, 0, 0xff, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0x20, 0x18, 0xc8, 0x81, 0, 0x38, 0x0e, 4, 0x35];
        let sent = socket.send_to(&ask, self.address);
        sent.is_ok() && socket.recv_from(&mut [0; 128]).is_ok()
    }

    /// The `[fence.NAME]` that switches it; `more` is appended.
    pub fn section(&self, name: &str, more: &str) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        format!(
            "[fence.{name}]\nagent = \"/usr/sbin/fence_ipmilan\"\noptions = {{ ip = \"{ip}\", ipport = {port}, \
             username = \"admin\", password_file = \"ipmi.pass\", lanplus = true, cipher = 3, power_wait = 0 }}\n\
             delay = \"300ms\"\n{more}"
        )
    }

    /// Says which processes are inside.
    pub fn holds(&self, pids: &[i32]) {
        let pids: Vec<String> = pids.iter().map(i32::to_string).collect();
        write(self.folder.path(), "inside", &pids.join("\n"));
    }

    /// What its power is: `power:0` or `power:1`.
    pub fn power(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("power")).expect("read").trim().to_owned()
    }

    /// Its controller does not answer any more.
    pub fn cut_off(&mut self) {
        self.simulator = None;
    }
}
