"""States that go on in time: moments in the field of each other, and references of rollouts."""

from hypermagnetics.dynamics.kinds import AnyDynamics as AnyDynamics
from hypermagnetics.dynamics.kinds import DynamicsConfig as DynamicsConfig
from hypermagnetics.dynamics.kinds import dynamics_of as dynamics_of
from hypermagnetics.dynamics.moment_dynamics import FieldOfOthers as FieldOfOthers
from hypermagnetics.dynamics.moment_dynamics import Flow as Flow
from hypermagnetics.dynamics.moment_dynamics import MomentDynamics as MomentDynamics
from hypermagnetics.dynamics.moment_dynamics import energy as energy
from hypermagnetics.dynamics.moment_dynamics import magnitudes as magnitudes
from hypermagnetics.dynamics.others import field_of_others as field_of_others
from hypermagnetics.dynamics.others import with_moments as with_moments
from hypermagnetics.dynamics.runge_kutta import MethodName as MethodName
from hypermagnetics.dynamics.state_kinds import AnyStatePhysics as AnyStatePhysics
from hypermagnetics.dynamics.state_kinds import StatePhysicsConfig as StatePhysicsConfig
from hypermagnetics.dynamics.state_kinds import physics_of as physics_of
from hypermagnetics.dynamics.state_trajectory import samples_together as samples_together
from hypermagnetics.dynamics.state_trajectory import state_trajectories as state_trajectories
from hypermagnetics.dynamics.trajectory import Trajectories as Trajectories
from hypermagnetics.dynamics.trajectory import steps_of as steps_of
from hypermagnetics.dynamics.trajectory import trajectories as trajectories
