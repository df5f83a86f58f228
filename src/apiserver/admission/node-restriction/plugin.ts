/** Keeps a kubelet to its own node (plugin/pkg/admission/noderestriction of v1.35). The node authorizer says what it may name, this says what it may write. */
import type { KubeObject } from '../../../api/object.ts';
import type { CertificateSigningRequest } from '../../../api/types/certificates-v1.ts';
import type { Node, PersistentVolumeClaim, Pod } from '../../../api/types/core-v1.ts';
import type { ResourceSlice } from '../../../api/types/resource-v1.ts';
import type { CSIDriver } from '../../../api/types/storage-v1.ts';
import { semanticEqual } from '../../../api/util/values.ts';
import { isNotFound } from '../../../base/errors.ts';
import { parseCertificateRequest } from '../../../base/x509/certificate.ts';
import type { Client } from '../../../client/contract.ts';
import { groups, nodeNameOf, nodeUserName } from '../../auth/users.ts';
import type { AdmissionPluginFactory, AdmissionRequest } from '../contract.ts';
import { forbid, objectOf, oldObjectOf, on } from '../helpers.ts';
import { admitNode } from './node.ts';
import { admitPod } from './pods.ts';
import { admitToken } from './tokens.ts';

const leaseNamespace = 'kube-node-lease';
const nodeSigners = ['kubernetes.io/kube-apiserver-client-kubelet', 'kubernetes.io/kubelet-serving'];

/** Live objects; undefined when there is none. */
export interface Lookups {
  pod(namespace: string, name: string): Promise<Pod | undefined>;
  node(name: string): Promise<Node | undefined>;
  csiDriver(name: string): Promise<CSIDriver | undefined>;
  /** The CSI driver of the volume that the claim is bound to. */
  driverOfClaim(namespace: string, claim: string): Promise<string | undefined>;
}

function liveLookups(client: Client): Lookups {
  const orUndefined = <T>(e: unknown): T | undefined => {
    if (isNotFound(e)) return undefined;
    throw e;
  };
  return {
    pod: (namespace, name) =>
      client
        .resource('v1/pods', namespace)
        .get(name)
        .catch(orUndefined<Pod>),
    node: name =>
      client
        .resource('v1/nodes')
        .get(name)
        .catch(orUndefined<Node>),
    csiDriver: name =>
      client
        .resource('storage.k8s.io/v1/csidrivers')
        .get(name)
        .catch(orUndefined<CSIDriver>),
    async driverOfClaim(namespace, name) {
      const claims = client.resource('v1/persistentvolumeclaims', namespace);
      const claim = await claims.get(name).catch(orUndefined<PersistentVolumeClaim>);
      const volume = claim?.spec?.volumeName;
      if (!volume) return undefined;
      const found = await client.resource('v1/persistentvolumes').get(volume).catch(orUndefined);
      return (found as { spec?: { csi?: { driver?: string } } } | undefined)?.spec?.csi?.driver;
    },
  };
}

function comparable(claim: PersistentVolumeClaim): unknown {
  const { resourceVersion: _, managedFields: __, ...metadata } = claim.metadata;
  const { capacity, conditions, allocatedResources, allocatedResourceStatuses, ...status } = claim.status ?? {};
  return { ...claim, metadata, status: { ...status } };
}

function admitClaim(request: AdmissionRequest, node: string): void {
  if (request.subresource !== 'status') throw forbid(request, 'may only update PVC status');
  if (request.operation !== 'UPDATE') throw forbid(request, `unexpected operation "${request.operation}"`);
  const [next, old] = [objectOf<PersistentVolumeClaim>(request), oldObjectOf<PersistentVolumeClaim>(request)];
  if (!semanticEqual(comparable(next), comparable(old)))
    throw forbid(
      request,
      `node ${JSON.stringify(node)} is not allowed to update fields other than status.capacity and status.conditions`,
    );
}

/** Objects that a node has one of, with its own name. */
function admitNamed(request: AdmissionRequest, node: string, what: string): void {
  const name = request.operation === 'CREATE' ? objectOf<KubeObject>(request).metadata.name : request.name;
  if (name !== node) throw forbid(request, `can only access ${what} with the same name as the requesting node`);
}

function admitSlice(request: AdmissionRequest, node: string): void {
  const slice = (request.operation === 'CREATE' ? objectOf : oldObjectOf)<ResourceSlice>(request);
  if (slice?.spec.nodeName === node) return;
  const verb = request.operation === 'CREATE' ? 'create' : request.operation === 'DELETE' ? 'delete' : 'update';
  throw forbid(request, `can only ${verb} ResourceSlice with the same NodeName as the requesting node`);
}

function admitCertificate(request: AdmissionRequest, node: string): void {
  if (request.operation !== 'CREATE' || request.subresource) return;
  const { spec } = objectOf<CertificateSigningRequest>(request);
  if (!nodeSigners.includes(spec.signerName)) return;
  const expected = nodeUserName(node);
  let commonName: string;
  try {
    commonName = parseCertificateRequest(atob(spec.request)).commonName;
  } catch {
    throw forbid(request, 'unable to parse csr');
  }
  if (commonName !== expected) throw forbid(request, `can only create a node CSR with CommonName=${expected}`);
}

export const nodeRestriction: AdmissionPluginFactory = {
  name: 'NodeRestriction',
  create({ client, authorizer }) {
    const lookups = liveLookups(client);
    return {
      name: 'NodeRestriction',
      handles: on('CREATE', 'UPDATE', 'DELETE'),
      admit(request) {
        if (!request.user.groups.includes(groups.nodes)) return;
        const node = nodeNameOf(request.user);
        if (!node) {
          if (!request.user.name.startsWith('system:node:')) return;
          throw forbid(request, `could not determine node from user ${JSON.stringify(request.user.name)}`);
        }
        switch (`${request.resource.group}/${request.resource.plural}`) {
          case '/pods':
            return admitPod(request, node, lookups);
          case '/nodes':
            return admitNode(request, node);
          case '/persistentvolumeclaims':
            return admitClaim(request, node);
          case '/serviceaccounts':
            return admitToken(request, node, lookups, authorizer);
          case 'coordination.k8s.io/leases':
            if (request.namespace !== leaseNamespace)
              throw forbid(request, `can only access leases in the "${leaseNamespace}" system namespace`);
            return admitNamed(request, node, 'node lease');
          case 'storage.k8s.io/csinodes':
            return admitNamed(request, node, 'CSINode');
          case 'resource.k8s.io/resourceslices':
            return admitSlice(request, node);
          case 'certificates.k8s.io/certificatesigningrequests':
            return admitCertificate(request, node);
          default:
            return;
        }
      },
    };
  },
};
