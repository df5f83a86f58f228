/** Field numbers of the CSI v1 interface (identity and node services); see grpc/codec.ts for the notation. */
export const csiMessages = `
@PluginCapability.Service.Type UNKNOWN CONTROLLER_SERVICE VOLUME_ACCESSIBILITY_CONSTRAINTS GROUP_CONTROLLER_SERVICE SNAPSHOT_METADATA_SERVICE
@PluginCapability.VolumeExpansion.Type UNKNOWN ONLINE OFFLINE
@VolumeCapability.AccessMode.Mode UNKNOWN SINGLE_NODE_WRITER SINGLE_NODE_READER_ONLY MULTI_NODE_READER_ONLY MULTI_NODE_SINGLE_WRITER MULTI_NODE_MULTI_WRITER SINGLE_NODE_SINGLE_WRITER SINGLE_NODE_MULTI_WRITER
@VolumeUsage.Unit UNKNOWN BYTES INODES
@NodeServiceCapability.RPC.Type UNKNOWN STAGE_UNSTAGE_VOLUME GET_VOLUME_STATS EXPAND_VOLUME VOLUME_CONDITION SINGLE_NODE_MULTI_WRITER VOLUME_MOUNT_GROUP
GetPluginInfoRequest
GetPluginInfoResponse name=1:s vendor_version=2:s manifest=3:m
GetPluginCapabilitiesRequest
GetPluginCapabilitiesResponse capabilities=1:PluginCapability*
PluginCapability.Service type=1:@PluginCapability.Service.Type
PluginCapability.VolumeExpansion type=1:@PluginCapability.VolumeExpansion.Type
PluginCapability service=1:PluginCapability.Service volume_expansion=2:PluginCapability.VolumeExpansion
ProbeRequest
ProbeResponse ready=1:BoolValue
VolumeCapability.BlockVolume
VolumeCapability.MountVolume fs_type=1:s mount_flags=2:s* volume_mount_group=3:s
VolumeCapability.AccessMode mode=1:@VolumeCapability.AccessMode.Mode
VolumeCapability block=1:VolumeCapability.BlockVolume mount=2:VolumeCapability.MountVolume access_mode=3:VolumeCapability.AccessMode
CapacityRange required_bytes=1:i limit_bytes=2:i
Topology segments=1:m
NodeStageVolumeRequest volume_id=1:s publish_context=2:m staging_target_path=3:s volume_capability=4:VolumeCapability secrets=5:m volume_context=6:m
NodeStageVolumeResponse
NodeUnstageVolumeRequest volume_id=1:s staging_target_path=2:s
NodeUnstageVolumeResponse
NodePublishVolumeRequest volume_id=1:s publish_context=2:m staging_target_path=3:s target_path=4:s volume_capability=5:VolumeCapability readonly=6:b secrets=7:m volume_context=8:m
NodePublishVolumeResponse
NodeUnpublishVolumeRequest volume_id=1:s target_path=2:s
NodeUnpublishVolumeResponse
NodeGetVolumeStatsRequest volume_id=1:s volume_path=2:s staging_target_path=3:s
NodeGetVolumeStatsResponse usage=1:VolumeUsage* volume_condition=2:VolumeCondition
VolumeUsage available=1:i total=2:i used=3:i unit=4:@VolumeUsage.Unit
VolumeCondition abnormal=1:b message=2:s
NodeGetCapabilitiesRequest
NodeGetCapabilitiesResponse capabilities=1:NodeServiceCapability*
NodeServiceCapability.RPC type=1:@NodeServiceCapability.RPC.Type
NodeServiceCapability rpc=1:NodeServiceCapability.RPC
NodeGetInfoRequest
NodeGetInfoResponse node_id=1:s max_volumes_per_node=2:i accessible_topology=3:Topology
NodeExpandVolumeRequest volume_id=1:s volume_path=2:s capacity_range=3:CapacityRange staging_target_path=4:s volume_capability=5:VolumeCapability secrets=6:m
NodeExpandVolumeResponse capacity_bytes=1:i
`;
