//! Where models compute.

use std::fmt;
use std::str::FromStr;

use candle_core::{Device, DeviceLocation};
use serde::Deserialize;

/// Where models are wanted to compute, as settings say it: `auto`, `cpu`, `cuda`, `cuda:1`, `metal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum DeviceChoice {
    /// On the first GPU that this program was built for, where there is one, else on the CPU.
    #[default]
    Auto,
    /// On the CPU.
    Cpu,
    /// On the NVIDIA GPU with this number.
    Cuda(usize),
    /// On the GPU of a Mac.
    Metal(usize),
}

/// Why models cannot compute where they should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No such kind of device.
    #[error(
        "\"{0}\" is not a device; it must be auto, cpu, cuda or metal, the latter two with a number if need be (cuda:1)"
    )]
    Unknown(String),
    /// The program has no code for it.
    #[error("{device}: this program was built without the feature {feature}")]
    NotBuilt {
        /// What was asked for.
        device: DeviceChoice,
        /// The feature that it needs.
        feature: &'static str,
    },
    /// It is not there, or it has no room, or its driver is too old.
    #[error("{device} could not be opened: {reason}")]
    Failed {
        /// What was asked for.
        device: DeviceChoice,
        /// What the driver said.
        reason: String,
    },
}

impl DeviceChoice {
    /// Opens the device. Of `auto` it comes with the reason why it is not a GPU though the program was built for one.
    pub fn open(self) -> Result<(Device, Option<DeviceError>), DeviceError> {
        match self {
            Self::Cpu => Ok((Device::Cpu, None)),
            Self::Cuda(_) | Self::Metal(_) => Ok((self.open_gpu()?, None)),
            Self::Auto => {
                let gpu = if cfg!(feature = "cuda") { Self::Cuda(0) } else { Self::Metal(0) };
                match gpu.open_gpu() {
                    Ok(device) => Ok((device, None)),
                    Err(DeviceError::NotBuilt { .. }) => Ok((Device::Cpu, None)),
                    Err(reason) => Ok((Device::Cpu, Some(reason))),
                }
            }
        }
    }

    fn open_gpu(self) -> Result<Device, DeviceError> {
        let (is_built, feature, open): (bool, _, fn(usize) -> candle_core::Result<Device>) = match self {
            Self::Metal(_) => (cfg!(feature = "metal"), "metal", Device::new_metal),
            _ => (cfg!(feature = "cuda"), "cuda", Device::new_cuda),
        };
        if !is_built {
            return Err(DeviceError::NotBuilt { device: self, feature });
        }
        let number = if let Self::Cuda(number) | Self::Metal(number) = self { number } else { 0 };
        open(number).map_err(|error| DeviceError::Failed { device: self, reason: error.to_string() })
    }
}

/// The name of a device: `cpu`, `cuda:0`, `metal:0`.
pub fn name(device: &Device) -> String {
    match device.location() {
        DeviceLocation::Cpu => "cpu".to_owned(),
        DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(text.to_owned());
        let (kind, number) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(number.parse().map_err(|_| unknown())?)),
            None => (text, None),
        };
        match (kind, number) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("cuda", number) => Ok(Self::Cuda(number.unwrap_or(0))),
            ("metal", number) => Ok(Self::Metal(number.unwrap_or(0))),
            _ => Err(unknown()),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = DeviceError;

    fn try_from(text: String) -> Result<Self, DeviceError> {
        text.parse()
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal(number) => write!(f, "metal:{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for (text, device) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda:1", DeviceChoice::Cuda(1)),
            ("metal:0", DeviceChoice::Metal(0)),
        ] {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string(), text);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for wrong in ["", "gpu", "cuda:", "cuda:x", "cpu:0", "auto:1", "CUDA"] {
            assert_eq!(wrong.parse::<DeviceChoice>(), Err(DeviceError::Unknown(wrong.to_owned())));
        }
    }

    #[test]
    fn what_was_not_built_is_refused_and_auto_takes_the_cpu() {
        let (device, _) = DeviceChoice::Cpu.open().unwrap();
        assert_eq!(name(&device), "cpu");
        if !cfg!(feature = "cuda") {
            let refused = DeviceChoice::Cuda(1).open().unwrap_err();
            assert_eq!(refused.to_string(), "cuda:1: this program was built without the feature cuda");
        }
        if !cfg!(any(feature = "cuda", feature = "metal")) {
            let (device, reason) = DeviceChoice::Auto.open().unwrap();
            assert!(device.is_cpu());
            assert_eq!(reason, None);
        }
    }
}
